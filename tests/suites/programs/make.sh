# make -j4 and gcc: a library, a C and a C++ program of generated files; the objects themselves are compared.
set -e
mkdir build
cd build
for i in $(seq 1 12); do
  cat > f$i.c <<C
#include <math.h>
#include <stdint.h>
#include <string.h>
static uint64_t table[64];
static double curve(double x) { return sin(x) * $i + sqrt(x + $i); }
uint64_t f$i(uint64_t seed)
{
    for (int k = 0; k < 64; k++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        table[k] = seed ^ seed >> 29 ^ (uint64_t)(curve(k) * 1e6);
    }
    uint64_t r = 0;
    for (int k = 0; k < 64; k++) {
        r = (r << 7 | r >> 57) + table[k * $i & 63];
    }
    return r;
}
C
done
{
  printf '#include <stdint.h>\n#include <stdio.h>\n'
  for i in $(seq 1 12); do printf 'uint64_t f%d(uint64_t);\n' $i; done
  printf 'int main(void)\n{\n    uint64_t r = 1;\n'
  for i in $(seq 1 12); do printf '    r ^= f%d(r);\n' $i; done
  printf '    printf("%%016llx\\n", (unsigned long long)r);\n    return 0;\n}\n'
} > main.c
cat > words.cc <<'C'
#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>
int main()
{
    std::map<std::string, int> count;
    std::istringstream in("a b c a b a");
    for (std::string w; in >> w;) {
        count[w]++;
    }
    for (auto &[w, n] : count) {
        std::cout << w << ' ' << n << '\n';
    }
    std::vector<std::thread> all;
    std::vector<long> sums(8);
    for (int i = 0; i < 8; i++) {
        all.emplace_back([&sums, i] { for (long k = 0; k < 100000; k++) sums[i] += k % (i + 1); });
    }
    for (auto &t : all) {
        t.join();
    }
    for (long s : sums) {
        std::cout << s << ' ';
    }
    try {
        throw std::runtime_error("caught");
    } catch (const std::exception &e) {
        std::cout << e.what() << std::endl;
    }
}
C
cat > Makefile <<'M'
OBJS := $(patsubst %.c,%.o,$(wildcard f*.c))
all: prog words prog-lto
prog: main.o libf.a
	gcc -o $@ main.o -L. -lf -lm
libf.a: $(OBJS)
	ar rcsD $@ $(sort $^)
%.o: %.c
	gcc -O2 -g -c -o $@ $<
words: words.cc
	g++ -O2 -o $@ $<
prog-lto: main.c $(wildcard f*.c)
	gcc -O2 -flto=2 -o $@ $(sort $^) -lm
M
make -s -j4
./prog
./prog-lto
./words
size libf.a | tail -1
objdump -d f1.o | md5sum
nm libf.a | grep -c ' T '
make -q && echo up to date
touch f3.c
make -j4 | wc -l
cp f*.o libf.a prog prog-lto words ../out/
strip -o ../out/stripped prog
