# go build and go vet of a small module, the program with one and with several processors, preemption, the race of GC and stacks.
set -e
export GOCACHE=/tmp/gocache GOPATH=/tmp/gopath GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0 GOPROXY=off
mkdir -p /tmp/gomod
cp go_main.txt /tmp/gomod/main.go
cp go_test.txt /tmp/gomod/main_test.go
cd /tmp/gomod
printf 'module example\n\ngo 1.22\n' > go.mod
go version | cut -d' ' -f1-2
go build -trimpath -o prog .
./prog && echo "status $?"
GOMAXPROCS=1 ./prog && echo "status $?"
GOGC=1 GOMAXPROCS=8 ./prog && echo "status $?"
go vet . && echo vetted
go test . 2>&1 | sed 's/[0-9.]*s$//; s/(cached)//'
gofmt -l . | wc -l
cp prog /mnt/out/prog
