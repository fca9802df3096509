# Two services: PostgreSQL (many processes, shared memory, signals) made, loaded, asked at once and stopped; Redis with threads and a fork that saves.
# set-user-id
set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
mkdir -p /tmp/pg /tmp/redis
chown nobody /tmp/pg
user() { chroot --userspec nobody:nogroup --skip-chdir / env HOME=/tmp/pg "$@"; }
user initdb -D /tmp/pg/data -U nobody -A trust --no-sync > /tmp/pg/initdb.log 2>&1
user pg_ctl -w -t 600 -D /tmp/pg/data -o "-c fsync=off -k /tmp/pg -c listen_addresses=" -l /tmp/pg/log start > /dev/null
sql() { user psql -X -q -A -t -h /tmp/pg -d postgres "$@"; }
sql -c 'create table t(a int primary key, b float, c text); insert into t select i, sqrt(i), md5(i::text) from generate_series(1, 20000) i; create index on t(c); analyze t'
for i in 1 2 3 4; do
  sql -c "begin; update t set b = b + 1 where a % 4 = $i - 1; select count(*), round(sum(b)::numeric, 4) from t where a % 4 = $i - 1; commit" > /tmp/pg/out$i &
done
wait
cat /tmp/pg/out*
sql -c 'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0; select count(distinct left(c, 2)), max(c), round(avg(b)::numeric, 6) from t'
sql -c 'select x.a, y.c from t x join t y on x.a = y.a + 1 order by y.c limit 3; select regexp_replace(string_agg(c, $$,$$ order by c), $$\d+$$, $$#$$, $$g$$) from t where a < 6'
sql -c 'select pg_sleep(100)' 2>&1 &
sleep 3
sql -c "select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(100)%' and pid <> pg_backend_pid()"
wait
sql -c 'select 1 / 0' 2>&1 || echo "status $?"
user pg_ctl -w -t 600 -D /tmp/pg/data -m fast stop | tail -1
grep -cE 'PANIC|terminated by signal' /tmp/pg/log || true
redis-server --port 0 --unixsocket /tmp/redis/s --dir /tmp/redis --save '' --io-threads 2 --daemonize yes > /dev/null
r() { redis-cli -s /tmp/redis/s "$@"; }
until r ping > /dev/null 2>&1; do sleep 0.2; done
i=0
while [ $i -lt 300 ]; do
  echo "INCRBY n $i"
  echo "ZADD z $i m$((i * 7 % 101))"
  i=$((i + 1))
done | r > /dev/null
r get n
r zcard z
r eval 'local s = 0 for i = 1, 1000 do s = s + redis.call("zscore", "z", "m" .. i % 101) end return s' 0
r save
r bgsave > /dev/null
r shutdown nosave || true
redis-check-rdb /tmp/redis/dump.rdb | tail -1 | sed 's/^[^]]*] //'
