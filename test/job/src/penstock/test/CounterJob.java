package penstock.test;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Counts numbers, per key, in state: numbers (1 task) -> throttle (1) -> counter (the job's parallelism). One jar for Flink 1.16 to 2.3:
 * compiled against 1.16, no sink, no override of open(), no lambda.
 *
 * <pre>
 * --n N          so many numbers, then FINISHED; without it the job never ends
 * --rate R       numbers a second (200)
 * --out FILE     also writes there what it prints, and each count of key 0 as "number count"
 * --fail FILE    fails while this file exists
 * --throw TEXT   main() throws
 * --sleepMain MS main() takes so long
 * --noexec 1     main() never calls execute()
 * --name TEXT    the job's name (CounterJob)
 * </pre>
 */
public final class CounterJob {
    private CounterJob() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = parse(args);
        String out = options.get("out");
        say(out, "main " + Arrays.toString(args));
        if (options.containsKey("throw")) {
            throw new IllegalStateException(
                    options.get("throw"), new RuntimeException("root cause of " + options.get("throw")));
        }
        if (options.containsKey("sleepMain")) {
            Thread.sleep(Long.parseLong(options.get("sleepMain")));
        }
        if (options.containsKey("noexec")) {
            return;
        }
        long last = options.containsKey("n") ? Long.parseLong(options.get("n")) - 1 : Long.MAX_VALUE - 1;
        int rate = Integer.parseInt(options.getOrDefault("rate", "200"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(0, last)
                .setParallelism(1)
                .uid("numbers")
                .name("numbers")
                .map(new Throttle(rate))
                .setParallelism(1)
                .uid("throttle")
                .name("throttle")
                .keyBy(new KeyOf())
                .process(new Count(options.get("fail"), out))
                .uid("counter")
                .name("counter");
        env.execute(options.getOrDefault("name", "CounterJob"));
    }

    private static Map<String, String> parse(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < args.length; i += 2) {
            if (!args[i].startsWith("--") || i + 1 >= args.length) {
                throw new IllegalArgumentException(
                        "Error parsing arguments '" + Arrays.toString(args) + "' on '" + args[i] + "'.");
            }
            options.put(args[i].substring(2), args[i + 1]);
        }
        return options;
    }

    static void say(String out, String line) throws IOException {
        System.out.println(line);
        if (out != null) {
            Files.write(
                    Paths.get(out),
                    (line + "\n").getBytes(StandardCharsets.UTF_8),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        }
    }

    /** Lets so many numbers a second pass. */
    public static final class Throttle implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;
        private final int rate;

        Throttle(int rate) {
            this.rate = rate;
        }

        @Override
        public Long map(Long number) throws Exception {
            if (rate > 0) {
                Thread.sleep(Math.max(1, 1000 / rate));
            }
            return number;
        }
    }

    /** Spreads the numbers over 64 keys. */
    public static final class KeyOf implements KeySelector<Long, Integer> {
        private static final long serialVersionUID = 1L;

        @Override
        public Integer getKey(Long number) {
            return (int) (number % 64);
        }
    }

    /** Keeps how many numbers a key has had. */
    public static final class Count extends KeyedProcessFunction<Integer, Long, Long> {
        private static final long serialVersionUID = 1L;
        private final String fail;
        private final String out;
        private transient ValueState<Long> counts;

        Count(String fail, String out) {
            this.fail = fail;
            this.out = out;
        }

        @Override
        public void processElement(Long number, Context context, Collector<Long> collector) throws Exception {
            boolean first = counts == null;
            if (first) {
                counts = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
            }
            if (fail != null && new File(fail).exists()) {
                throw new RuntimeException("failing because " + fail + " exists");
            }
            Long before = counts.value();
            if (first) {
                say(out, before == null ? "started empty" : "restored " + before);
            }
            long count = before == null ? 1 : before + 1;
            counts.update(count);
            if (out != null && context.getCurrentKey() == 0) {
                say(out, number + " " + count);
            }
        }
    }
}
