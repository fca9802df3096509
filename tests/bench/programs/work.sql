CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, s TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 60000)
INSERT INTO t SELECT i, i * 7919 % 10007, 'row ' || (i * 31 % 997) FROM c;
CREATE INDEX tk ON t(k);
SELECT count(*), sum(k), min(s), max(s) FROM t;
SELECT s, count(*) AS n, avg(k) FROM t GROUP BY s ORDER BY n DESC, s LIMIT 5;
SELECT sum(a.k) FROM t a JOIN t b ON a.k = b.id WHERE b.s LIKE 'row 1%';
UPDATE t SET k = k + 1 WHERE id % 3 = 0;
SELECT total(k) FROM t WHERE s > 'row 5' AND k BETWEEN 100 AND 9000;
