#!/bin/sh
# The first process inside: makes what a system has, runs the commands of /lane, and turns the machine off. What the lane
# says goes to the second serial line; the first is the kernel's.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t devtmpfs dev /dev || :
mkdir -p /dev/pts /dev/shm
mount -t proc proc /proc
for name in fd:. stdin:0 stdout:1 stderr:2; do ln -sf "/proc/self/fd/${name#*:}" "/dev/${name%:*}"; done
exec </dev/null
stty -F /dev/ttyS1 raw -echo -onlcr
exec >/dev/ttyS1 2>&1

# tell WORD [VALUE…]: for whoever reads the line.
tell() { echo "@@$*"; }

# suite NAME FILE [ARGUMENT…]: one suite, between two lines of ours.
suite() {
    tell suite "$1"
    shift
    "$@" && status=0 || status=$?
    tell status "$status"
}

prepare() {
    mount -o remount,rw / &&
        mount -t sysfs sys /sys &&
        mount -t devpts devpts /dev/pts &&
        mount -t tmpfs shm /dev/shm &&
        mount -t tmpfs run /run &&
        mount -t tmpfs tmp /tmp &&
        mount -t cgroup2 cgroup /sys/fs/cgroup &&
        echo +memory >/sys/fs/cgroup/cgroup.subtree_control
}

tell kernel "$(uname -r) $(uname -v)"
if prepare; then . /lane; else tell unprepared; fi
tell end
echo o >/proc/sysrq-trigger
sleep 60
