#!/bin/sh
# Makes the certificates anew, in this folder.
set -eu
cd "$(dirname "$0")"
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
sign() { # name, subject, extensions
  key "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  printf '%s\n' "$3" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days 36500 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}
key ca.key
openssl req -x509 -new -key ca.key -subj "/CN=Sidegate test authority" -days 36500 -out ca.pem \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
sign server "/CN=localhost" "subjectAltName=DNS:localhost,DNS:orders.example.com,IP:127.0.0.1
basicConstraints=CA:FALSE"
sign client "/CN=client" "extendedKeyUsage=clientAuth
basicConstraints=CA:FALSE"
sign second "/CN=second" "subjectAltName=DNS:second.example.com,DNS:*.second.example.com
basicConstraints=CA:FALSE"
key stray.key
rm -f ca.key ca.srl
