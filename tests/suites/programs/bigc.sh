# gcc -O2 -j2 on 10,000 lines of C of many shapes; the objects are compared, the program prints what it computes.
set -e
python3 bigc.py /tmp/bigc
cd /tmp/bigc
wc -l *.c | tail -1
make -s -j2
./prog
cp *.o prog /mnt/out/
