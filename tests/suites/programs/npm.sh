# npm: packages packed, kept in a cache, installed by "npm ci" from there without network; scripts and a program of theirs run.
set -e
export npm_config_cache=/tmp/npm-cache npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
node npm_make.js /tmp/npm-packages
cd /tmp/npm-packages
npm pack --silent ./p* | sort | md5sum
ls *.tgz | wc -l
npm cache add ./*.tgz
node lock.js
cd app
npm ci --offline --loglevel=error 2>&1 | sed 's/ in [0-9.]*m*s$//'
node main.js
npm ls --all | sort | md5sum
npm run --silent greet
find node_modules -name '*.js' -o -name '*.json' | grep -v '/.package-lock' | sort | xargs cat | md5sum
