import java.io.File;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** Prints every ConfigOption that the jars of a Flink declare: key, type, older keys, separated by tabs. Argument: the folder of the jars. */
public final class ListOptions {
    private static final String OPTION = "org.apache.flink.configuration.ConfigOption";

    public static void main(String[] args) throws Exception {
        Map<String, String> found = new TreeMap<>();
        File[] jars = new File(args[0]).listFiles((folder, name) -> name.startsWith("flink-") && !name.contains("shaded"));
        Arrays.sort(jars);
        for (File jar : jars) {
            try (ZipFile zip = new ZipFile(jar)) {
                for (ZipEntry entry : Collections.list(zip.entries())) {
                    String name = entry.getName();
                    if (!name.startsWith("org/apache/flink/") || !name.endsWith(".class")) continue;
                    byte[] bytes = zip.getInputStream(entry).readAllBytes();
                    if (!new String(bytes, StandardCharsets.ISO_8859_1).contains(OPTION.replace('.', '/'))) continue;
                    addOptions(name.substring(0, name.length() - ".class".length()).replace('/', '.'), found);
                }
            }
        }
        found.forEach((key, rest) -> System.out.println(key + "\t" + rest));
    }

    private static void addOptions(String className, Map<String, String> found) throws Exception {
        try {
            for (Field field : Class.forName(className, false, ListOptions.class.getClassLoader()).getDeclaredFields()) {
                if (!field.getType().getName().equals(OPTION) || !Modifier.isStatic(field.getModifiers())) continue;
                field.setAccessible(true);
                Object option = field.get(null);
                if (option != null) found.putIfAbsent((String) call(option, "key"), typeOf(option) + "\t" + olderKeys(option));
            }
        } catch (LinkageError e) {
            // Needs a library that is not there (Hadoop): its options are the cluster's.
        }
    }

    private static String typeOf(Object option) throws Exception {
        Class<?> type = (Class<?>) read(option, "clazz");
        String words = type.isEnum() ? Arrays.toString(type.getEnumConstants()).replace(", ", "|") : type.getSimpleName();
        return Boolean.TRUE.equals(read(option, "isList")) ? "List " + words : words;
    }

    private static String olderKeys(Object option) throws Exception {
        List<String> keys = new ArrayList<>();
        for (Object older : (Object[]) read(option, "fallbackKeys")) keys.add((String) call(older, "getKey"));
        return String.join(" ", keys);
    }

    private static Object read(Object of, String name) throws Exception {
        Field field = of.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
    }

    private static Object call(Object of, String name) throws Exception {
        Method method = of.getClass().getMethod(name);
        method.setAccessible(true);
        return method.invoke(of);
    }
}
