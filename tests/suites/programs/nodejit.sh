# node with the optimizing compiler on five kinds of load, each with its result, four workers at once at the end.
node nodejit.js
node --max-semi-space-size=1 --stress-flush-code --no-opt nodejit.js objects
node --always-turbofan nodejit.js arrays strings 2>&1
