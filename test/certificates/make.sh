#!/bin/sh
# Makes the certificates in this folder, valid for a hundred years. They protect nothing: the keys are public, and small where
# OpenSSL's defaults let them be. Needs OpenSSL 3. `ca.crt` signs, unless it is said otherwise.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
rm -f ./*.crt ./*.key ./*.crl

here='subjectAltName=DNS:localhost,IP:127.0.0.1'
p256='-algorithm EC -pkeyopt ec_paramgen_curve:P-256'
# Fixed dates: whose clock is behind ours has to take them too.
century='-startdate 20200101000000Z -enddate 21200101000000Z'
past='-startdate 20200101000000Z -enddate 20200102000000Z'

# `openssl ca`: in OpenSSL 3.0 the one command that takes dates, and the one that keeps a list of what is revoked.
touch "$work/index"
echo 01 >"$work/serial"
echo 01 >"$work/crlnumber"
cat >"$work/ca.cnf" <<CONFIGURATION
[ca]
default_ca = test
[test]
database = $work/index
serial = $work/serial
crlnumber = $work/crlnumber
new_certs_dir = $work
default_md = default
policy = policy
unique_subject = no
[policy]
commonName = supplied
CONFIGURATION

key() { # <name> <options of genpkey...>
  name=$1
  shift
  openssl genpkey -quiet "$@" -out "$name.key"
}

certify() { # <name> <key> <common name> <dates> <extensions, one a line> <options of ca...>
  name=$1
  openssl req -new -config /dev/null -key "$2.key" -subj "/CN=$3" -out "$work/request"
  printf '%s\n' "$5" >"$work/extensions"
  dates=$4
  shift 5
  openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/request" $dates -extfile "$work/extensions" \
    -out "$name.crt" "$@" 2>"$work/errors" || { cat "$work/errors"; exit 1; }
}

authority() { # <name>
  key "$1" $p256
  certify "$1" "$1" "pg-deadline test $1" "$century" 'basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign' -selfsign -keyfile "$1.key"
}

signed() { # <name> <key> <common name> <dates> <extension>
  certify "$1" "$2" "$3" "$4" "basicConstraints=CA:FALSE
$5" -cert ca.crt -keyfile ca.key
}

self_signed() { # <name> <options of ca...>
  name=$1
  shift
  certify "$name" "$name" localhost "$century" "$here" -selfsign -keyfile "$name.key" "$@"
}

authority ca
authority other-ca

# Servers. Those that ca.crt has signed share one key.
key server $p256
signed server server localhost "$century" "$here"
signed wrong-host server other.example "$century" 'subjectAltName=DNS:other.example'
# Without subjectAltName the common name counts, for libpq and for Node.
signed common-name server localhost "$century" ''
signed expired server localhost "$past" "$here"
signed revoked server localhost "$century" "$here"
openssl ca -config "$work/ca.cnf" -cert ca.crt -keyfile ca.key -revoke revoked.crt 2>/dev/null
openssl ca -config "$work/ca.cnf" -cert ca.crt -keyfile ca.key -gencrl -crl_lastupdate 20200101000000Z \
  -crl_nextupdate 21200101000000Z -out ca.crl 2>/dev/null

key self-signed $p256
self_signed self-signed

# One for each way to sign that channel binding has to tell apart: RFC 5929 section 4.1.
# 2,048 bits, since newer OpenSSL takes no less.
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
self_signed rsa -md sha256
cp rsa.key rsa-pss.key
self_signed rsa-pss -md sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48
key ecdsa-p-256 $p256
self_signed ecdsa-p-256 -md sha256
key ecdsa-p-384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
self_signed ecdsa-p-384 -md sha384
key ed25519 -algorithm ED25519
self_signed ed25519

# Clients. The common name is the role's; 'open sesame' opens the encrypted key.
key client $p256
signed client client certified "$century" 'extendedKeyUsage=clientAuth'
openssl pkcs8 -topk8 -v2 aes-256-cbc -in client.key -passout 'pass:open sesame' -out client-encrypted.key

# Nobody needs to sign anything more.
rm ca.key other-ca.key
chmod 644 ./*.key
