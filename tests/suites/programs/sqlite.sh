# sqlite3: joins, windows, recursion, full text, JSON, transactions, two writers at one file.
set -e
sqlite3 out/db <<'SQL'
pragma page_size=4096;
create table t(id integer primary key, k text, v real, b blob);
create index tk on t(k);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
insert into t select i, 'k' || (i * 7919 % 1009), sin(i) * 1000, zeroblob(i % 40) from n;
select count(*), count(distinct k), round(sum(v), 6), sum(length(b)) from t;
select k, round(avg(v), 9), rank() over (order by avg(v)) from t group by k order by 2 limit 5;
select a.id, b.id from t a join t b on a.k = b.k and a.id < b.id order by 1, 2 limit 3;
begin; delete from t where id % 3 = 0; rollback; select count(*) from t;
begin; update t set v = v * 2 where id % 5 = 0; commit; select round(total(v), 4) from t;
create virtual table ft using fts5(x);
insert into ft select 'word' || k || ' and ' || id from t limit 3000;
select count(*) from ft where ft match 'word77*';
select json_group_array(id) from (select id from t limit 5);
select json_extract('{"a":[1,2.5,{"b":null}]}', '$.a[1]');
pragma integrity_check; vacuum; analyze;
select printf('%.17g', 1.0 / 3), 9007199254740993 + 0, -9223372036854775808, 1e308 * 10;
SQL
md5sum out/db
sqlite3 both 'create table w(x); pragma journal_mode=wal'
for p in 1 2 3; do
  (for i in $(seq 1 30); do sqlite3 -cmd '.timeout 20000' both "insert into w values($p * 1000 + $i)"; done) &
done
wait
sqlite3 both 'select count(*), sum(x) from w; pragma integrity_check'
