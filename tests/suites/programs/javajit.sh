# OpenJDK: javac, then seven kinds of load long enough for the second compiler, deoptimized on the way; the same with few resources.
set -e
mkdir -p classes
cp javajit_main.txt Jit.java
javac -d classes Jit.java
java -cp classes Jit
java -XX:-TieredCompilation -Xmx64m -cp classes Jit
java -XX:+UseSerialGC -XX:ReservedCodeCacheSize=4m -Xss512k -XX:CICompilerCount=2 -cp classes Jit
cp classes/*.class out/
