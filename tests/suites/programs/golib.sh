# Go builds and tests a part of its own library, with goroutines preempted by signals; the names and results of all tests are compared.
set -e
export GOCACHE=/tmp/gocache GOPATH=/tmp/gopath GOTOOLCHAIN=local CGO_ENABLED=0 GOPROXY=off GOFLAGS=-vet=off
go version | cut -d' ' -f1-2
go build -o /tmp/gofmt-own cmd/gofmt
/tmp/gofmt-own -d go_main.txt | wc -l
sha256sum /tmp/gofmt-own | cut -c1-64
for p in bytes container/heap context crypto/aes crypto/sha256 encoding/json errors hash/crc32 math math/bits sort strconv strings sync sync/atomic text/template \
  time unicode/utf8; do
  go test -short -v $p > /tmp/test.log 2>&1 && ok=ok || ok=FAILED
  echo "$p $ok $(grep -c '^--- PASS' /tmp/test.log) passed $(grep -c '^--- FAIL' /tmp/test.log) failed"
  grep -E '^--- FAIL|^fatal|^panic|SIG' /tmp/test.log || true
done
