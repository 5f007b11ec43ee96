# disk.sh DIR IMAGE, with the lane's own commands on stdin: a file system of what is in DIR, with room to write.
set -eu
cat >"$1/lane"
rm -f "$2"
mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1 -d "$1" "$2" 2G
