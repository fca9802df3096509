# javac, and java with both compilers, each alone, none, and several collectors.
set -e
mkdir -p classes
cp java_main.txt Main.java
javac -d classes Main.java
java -cp classes Main
for how in -Xint -XX:TieredStopAtLevel=1 -XX:-TieredCompilation '-XX:+UseParallelGC -Xmx64m' '-XX:+UseSerialGC -Xmx48m' '-XX:+UseZGC -Xmx256m' \
  '-XX:+UseShenandoahGC -Xmx128m'; do
  echo "$how"
  java $how -cp classes Main | md5sum
done
jar --create --file app.jar --date=2020-01-01T00:00:00Z --main-class=Main -C classes .
java -jar app.jar 2>&1 | tail -1
jshell -s - <<'J' 2>/dev/null || echo "jshell $?"
System.out.println(java.util.stream.IntStream.range(0, 10).sum())
J
cp classes/*.class out/
