#!/bin/sh
# Makes passwords, keys and the files that hold them in ./run, once. The compose
# files mount them at /run/grantd. The folder is private; several users in the
# containers read the files in it.
set -eu
cd "$(dirname "$0")"
[ ! -e run ] || { echo "run exists already: its passwords stay" >&2; exit 0; }
umask 077
mkdir run
cp ../redis.acl run/users.acl
for user in grantd replica sentinel admin; do
  head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' > "run/$user.password"
  digest=$(sha256sum < "run/$user.password" | cut -d ' ' -f 1)
  sed "s/^\(user $user on \)#[0-9a-f]*/\1#$digest/" run/users.acl > run/next
  mv run/next run/users.acl
done
head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' > run/webhook.key # for customers.webhook, if used
echo "user admin on #$digest ~* &* +@all" >> run/users.acl # the last of the four
printf 'masteruser replica\nmasterauth %s\n' "$(cat run/replica.password)" > run/replication.conf
sed "s/SENTINEL_PASSWORD/$(cat run/sentinel.password)/" sentinel.conf > run/sentinel.conf
chmod 644 run/*
