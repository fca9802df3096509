# restart.sh: a restart, as long as nobody stops it.
echo "restarting"
reboot -f
sleep 60
