#!/bin/sh
# make-secrets.sh [DIRECTORY]: makes the secrets that docker-compose.yml mounts; by default in ./secrets. What is there
# already stays as it is. Needs OpenSSL 3.
set -eu

directory=${1:-$(dirname "$0")/../secrets}
# The directory keeps others out on this machine. The files in it are open to all, since the servers in the containers
# run as users of their own, to whom Docker shows them with the rights that they have here; so are the two that
# docker-compose.yml mounts from beside this one.
chmod a+r "$(dirname "$0")/mosquitto.conf" "$(dirname "$0")/mosquitto.acl"
mkdir -p "$directory"
chmod 700 "$directory"
cd "$directory"
umask 022

if ! openssl kdf -help >/dev/null 2>&1; then
  echo "make-secrets.sh needs OpenSSL 3 (openssl version): apt-get install openssl, or brew install openssl" >&2
  exit 1
fi

keep() { # keep FILE: its content is what comes in, unless it is there
  if [ -s "$1" ]; then
    cat >/dev/null
  else
    # Half a file would pass for a whole one the next time.
    cat >"$1.part"
    mv "$1.part" "$1"
    echo "made $directory/$1"
  fi
}

for name in postgres-password influx-password influx-token mqtt-password mqtt-gateway-password; do
  openssl rand -hex 32 | keep "$name.txt"
done

# NAME:$7$ROUNDS$SALT$HASH, as mosquitto_passwd writes it: PBKDF2 with SHA-512. Its 101 rounds would be few for a
# password that a person thought of; these are 256 random bits. The salt has to have 12 bytes.
user() { # user NAME PASSWORD-FILE
  salt=$(openssl rand -hex 6)
  hash=$(openssl kdf -binary -keylen 64 -kdfopt digest:SHA512 -kdfopt "pass:$(cat "$2")" -kdfopt "salt:$salt" \
    -kdfopt iter:101 PBKDF2 | openssl base64 -A)
  printf '%s:$7$101$%s$%s\n' "$1" "$(printf %s "$salt" | openssl base64 -A)" "$hash"
}
{
  user millwright mqtt-password.txt
  user gateway mqtt-gateway-password.txt
} | keep mosquitto-users.txt
