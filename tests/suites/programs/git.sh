# git: a history with branches, clone over a pipe, gc, fsck; object names say whether contents agree.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@d
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' GIT_CONFIG_GLOBAL=/dev/null
git init -q -b main repo
cd repo
for i in $(seq 1 40); do
  seq 1 $((i * 20)) > file$((i % 7)).txt
  echo "line $i" >> log.txt
  git add -A
  git commit -q -m "commit $i"
done
git checkout -q -b side HEAD~10
echo side > side.txt
git add side.txt
git commit -q -m side
git checkout -q main
git merge -q --no-edit side
git log --oneline | head -5
git log --stat -3 | tail -12
git rev-parse HEAD 'HEAD^{tree}'
git diff --stat HEAD~5
git blame log.txt | tail -2
git grep -c 1 -- '*.txt'
git rebase -q HEAD~3 >/dev/null && git rev-parse HEAD
git stash list
git tag -a -m v1 v1
git describe
git gc -q --aggressive
git fsck --full --strict 2>&1
git count-objects -v | grep -v size
cd ..
git clone -q "file://$PWD/repo" clone
git clone -q --bare --depth 3 "file://$PWD/repo" shallow
git -C shallow rev-list --count HEAD
cd clone
git log --format=%H | md5sum
echo more > more.txt
git add more.txt
git commit -q -m more
git push -q origin HEAD:refs/heads/pushed
git -C ../repo rev-parse pushed
git archive --format=tar HEAD | md5sum
git format-patch -q -2 -o ../out
git bisect start HEAD v1~20 > ../start.log 2>&1
git bisect run sh -c '! grep -q "line 33$" log.txt' > ../bisect.log 2>&1
grep 'is the first' ../bisect.log
