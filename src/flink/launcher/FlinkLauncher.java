package penstock;

import java.io.StringReader;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Properties;

/**
 * Brings a job's own options to Flink before 1.17, whose REST API takes none with a submission: puts them into the configuration of
 * this submission, then runs the user's main. Arguments: entry class, base64 of UTF-8 properties, the user's arguments.
 * Compiled without Flink on the class path; launcher-class.ts holds the result.
 */
public final class FlinkLauncher {
    private FlinkLauncher() {}

    public static void main(String[] args) throws Throwable {
        if (args.length < 2) {
            throw new IllegalArgumentException("The launcher expects an entry class and its options.");
        }
        ClassLoader userClasses = Thread.currentThread().getContextClassLoader();
        addToThisSubmission(userClasses, parse(args[1]));

        Method main = mainOf(userClasses, args[0]);
        try {
            main.invoke(null, (Object) Arrays.copyOfRange(args, 2, args.length));
        } catch (InvocationTargetException e) {
            throw e.getTargetException(); // What the user's main threw, as if it had been called directly.
        }
    }

    private static Properties parse(String base64) throws Exception {
        Properties options = new Properties();
        options.load(new StringReader(new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8)));
        return options;
    }

    /** Says what Flink says in the same place, so that both ways of starting fail with the same words. */
    private static Method mainOf(ClassLoader userClasses, String entryClass) throws Exception {
        Method main;
        try {
            main = Class.forName(entryClass, true, userClasses).getMethod("main", String[].class);
        } catch (ClassNotFoundException e) {
            throw new IllegalArgumentException(
                    "The program's entry point class '" + entryClass + "' was not found in the jar file.", e);
        } catch (NoSuchMethodException e) {
            throw new IllegalArgumentException("The class '" + entryClass + "' has no main(String[]) method.", e);
        }
        if (!Modifier.isStatic(main.getModifiers())) {
            throw new IllegalArgumentException("The class '" + entryClass + "' declares a non-static main method.");
        }
        main.setAccessible(true); // The public main of a class that is not public.
        return main;
    }

    /** All environments of this thread's submission share one Configuration object; what stands in it, user code may still override. */
    private static void addToThisSubmission(ClassLoader userClasses, Properties options) throws Exception {
        Object environment =
                Class.forName("org.apache.flink.streaming.api.environment.StreamExecutionEnvironment", true, userClasses)
                        .getMethod("getExecutionEnvironment")
                        .invoke(null);
        Field field = environment.getClass().getDeclaredField("clusterConfiguration"); // StreamContextEnvironment, since 1.16.0
        field.setAccessible(true);
        Object configuration = field.get(environment);
        Method setString = configuration.getClass().getMethod("setString", String.class, String.class);
        for (String key : options.stringPropertyNames()) {
            setString.invoke(configuration, key, options.getProperty(key));
        }
    }
}
