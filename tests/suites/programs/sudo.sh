# sudo and su under binfmt_misc's flag C: a user without privileges becomes root and the other way round.
# set-user-id
set -e
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\nann:x:1000:1000::/tmp:/bin/sh\nbob:x:1001:1001::/tmp:/bin/sh\n' > /etc/passwd
printf 'root:x:0:\nsudo:x:27:ann\nann:x:1000:\nbob:x:1001:\nnogroup:x:65534:\n' > /etc/group
printf 'root:*:20000:0:99999:7:::\nann:*:20000:0:99999:7:::\nbob:*:20000:0:99999:7:::\n' > /etc/shadow
printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession required pam_permit.so\n' | tee /etc/pam.d/sudo /etc/pam.d/su > /etc/pam.d/other
printf 'Defaults env_reset,secure_path="/usr/sbin:/usr/bin:/sbin:/bin"\nDefaults !use_pty\nroot ALL=(ALL:ALL) ALL\n%%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n' > /etc/sudoers
mkdir -p /run/sudo
chmod 440 /etc/sudoers
user() { name=$1; shift; setpriv --reuid "$name" --regid "$name" --init-groups "$@"; }
user ann id
user ann sudo -n id
user ann sudo -n -u bob id -un
user ann sudo -n sh -c 'id -u; cat /etc/shadow | wc -l; echo "$SUDO_USER $SUDO_UID"'
user bob sudo -n id 2>&1 || echo "bob: status $?"
user ann cat /etc/shadow 2>&1 || echo "status $?"
user ann sudo -n setpriv --reuid bob --clear-groups sudo -n id 2>&1 || echo "bob again: status $?"
user ann sudo -n sh -c 'sudo -n -u bob sh -c "id -u; su -c id ann"'
user bob su -c 'id -u; sudo -n -u bob id -u' ann 2>&1
user ann sudo -n -l | tail -1
user ann sudo -n sh -c 'kill -TERM $$' || echo "killed: status $?"
echo data | user ann sudo -n tee /root-file > /dev/null && stat -c '%U %s' /root-file && rm /root-file
for i in $(seq 1 20); do
  user ann sudo -n -u bob id -u
done | sort | uniq -c
