package penstock.test;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.util.Collector;

/**
 * Writes which options reached it, as Flink itself reads them, and runs a job with state: of the DataStream API, or of the Table API.
 * Compiled against the Flink that it runs on.
 *
 * <pre>
 * --out FILE      writes "option KEY=VALUE" for each option that is set, "unreadable KEY=WHY", and at last "done"
 * --table 1       a job of the Table API, and what its TableEnvironment has
 * --own KEY=VALUE sets an option itself, as programs do (may be given more than once)
 * --interval MS   sets the interval of its checkpoints by a method
 * </pre>
 */
public final class OptionsJob {
    private static final String[] OPTION_CLASSES = {
        "org.apache.flink.configuration.CheckpointingOptions",
        "org.apache.flink.streaming.api.environment.ExecutionCheckpointingOptions",
        "org.apache.flink.configuration.ExecutionOptions",
        "org.apache.flink.configuration.PipelineOptions",
        "org.apache.flink.streaming.api.environment.StreamPipelineOptions",
        "org.apache.flink.configuration.RestartStrategyOptions",
        "org.apache.flink.configuration.StateBackendOptions",
        "org.apache.flink.configuration.StateLatencyTrackOptions",
        "org.apache.flink.configuration.StateSizeTrackOptions",
        "org.apache.flink.configuration.TaskManagerOptions",
        "org.apache.flink.configuration.MetricOptions",
        "org.apache.flink.contrib.streaming.state.RocksDBOptions",
        "org.apache.flink.contrib.streaming.state.RocksDBConfigurableOptions",
        "org.apache.flink.contrib.streaming.state.RocksDBNativeMetricOptions",
        "org.apache.flink.contrib.streaming.state.sstmerge.RocksDBManualCompactionOptions",
        "org.apache.flink.state.rocksdb.RocksDBOptions",
        "org.apache.flink.state.rocksdb.RocksDBConfigurableOptions",
        "org.apache.flink.state.rocksdb.RocksDBNativeMetricOptions",
        "org.apache.flink.state.rocksdb.sstmerge.RocksDBManualCompactionOptions",
        "org.apache.flink.state.forst.ForStOptions",
        "org.apache.flink.state.forst.ForStConfigurableOptions",
        "org.apache.flink.state.forst.ForStNativeMetricOptions",
        "org.apache.flink.table.api.config.ExecutionConfigOptions",
        "org.apache.flink.table.api.config.OptimizerConfigOptions",
        "org.apache.flink.table.api.config.TableConfigOptions",
    };

    private OptionsJob() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> arguments = new HashMap<>();
        Map<String, String> own = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            if (args[i].equals("--own")) {
                String[] pair = args[i + 1].split("=", 2);
                own.put(pair[0], pair[1]);
            } else {
                arguments.put(args[i].substring(2), args[i + 1]);
            }
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(Configuration.fromMap(own));
        if (arguments.containsKey("interval")) {
            env.enableCheckpointing(Long.parseLong(arguments.get("interval")));
        }
        if (arguments.containsKey("table")) {
            runTable(env, own, arguments.get("out"));
        } else {
            say(arguments.get("out"), describe(env.getConfiguration()));
            env.fromSequence(0, Long.MAX_VALUE - 1).setParallelism(1).uid("numbers")
                    .map(new Slowly()).setParallelism(1).uid("slowly")
                    .keyBy(new KeyOf())
                    .process(new Count()).uid("count");
            env.execute();
        }
    }

    private static void runTable(StreamExecutionEnvironment env, Map<String, String> own, String out) throws Exception {
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        for (Map.Entry<String, String> entry : own.entrySet()) {
            tables.getConfig().set(entry.getKey(), entry.getValue());
        }
        say(out, describe(tables.getConfig()));
        tables.executeSql("CREATE TABLE numbers (id INT, price INT) WITH ('connector' = 'datagen', 'rows-per-second' = '20',"
                + " 'fields.id.min' = '1', 'fields.id.max' = '9')");
        tables.executeSql("CREATE TABLE counts (id INT, n BIGINT, total INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole')");
        tables.executeSql("INSERT INTO counts SELECT id, COUNT(*), SUM(price) FROM numbers GROUP BY id");
    }

    /** Every option of Flink's that is set, by the key that its class declares, read with its type. */
    private static List<String> describe(ReadableConfig config) throws Exception {
        List<String> lines = new ArrayList<>();
        for (String name : OPTION_CLASSES) {
            Class<?> declaring;
            try {
                declaring = Class.forName(name, true, OptionsJob.class.getClassLoader());
            } catch (ClassNotFoundException e) {
                continue; // Of another version, or of a state backend that this cluster lacks.
            }
            for (Field field : declaring.getDeclaredFields()) {
                if (!field.getType().equals(ConfigOption.class) || !Modifier.isStatic(field.getModifiers())) {
                    continue;
                }
                field.setAccessible(true);
                ConfigOption<?> option = (ConfigOption<?>) field.get(null);
                try {
                    Optional<?> value = config.getOptional(option);
                    if (value.isPresent()) {
                        lines.add("option " + option.key() + "=" + value.get());
                    }
                } catch (Exception e) {
                    lines.add("unreadable " + option.key() + "=" + e);
                }
            }
        }
        lines.add("done");
        return lines;
    }

    private static void say(String out, List<String> lines) throws IOException {
        if (out != null) {
            Files.write(Paths.get(out), lines, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }
    }

    /** Lets a hundred numbers a second pass. */
    public static final class Slowly implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        @Override
        public Long map(Long number) throws Exception {
            Thread.sleep(10);
            return number;
        }
    }

    /** Spreads the numbers over 16 keys. */
    public static final class KeyOf implements KeySelector<Long, Integer> {
        private static final long serialVersionUID = 1L;

        @Override
        public Integer getKey(Long number) {
            return (int) (number % 16);
        }
    }

    /** Keeps how many numbers a key has had. */
    public static final class Count extends KeyedProcessFunction<Integer, Long, Long> {
        private static final long serialVersionUID = 1L;
        private transient ValueState<Long> counts;

        @Override
        public void processElement(Long number, Context context, Collector<Long> collector) throws Exception {
            if (counts == null) {
                counts = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
            }
            Long before = counts.value();
            counts.update(before == null ? 1 : before + 1);
        }
    }
}
