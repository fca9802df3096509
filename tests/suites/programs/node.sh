# node: workers, shared memory, child processes, WebAssembly, streams, exceptions; with the optimizing compiler and without.
node node.js
echo "status $?"
node --jitless node.js
echo "status $?"
