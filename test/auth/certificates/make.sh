#!/bin/sh
# Makes the certificates in this folder, and expected.txt: name, hash and digest of each, as `openssl dgst` computes it.
# Which hash belongs to which certificate is said here, from RFC 5929 section 4.1. Needs OpenSSL 3; keeps no private key.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT
rm -f ./*.der expected.txt

# Small keys: nothing is protected by them.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$keys/rsa"
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -out "$keys/rsa-pss"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/p-256"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$keys/p-384"
openssl genpkey -quiet -algorithm ED25519 -out "$keys/ed25519"
openssl genpkey -quiet -algorithm ED448 -out "$keys/ed448"

# make <name> <key> <hash that binds, or none> <options of openssl req...>
make() {
  name=$1 key=$2 hash=$3
  shift 3
  openssl req -x509 -new -key "$keys/$key" -subj "/CN=$name" -days 36500 -outform DER -out "$name.der" \
    -config /dev/null "$@"
  if [ "$hash" = none ]; then digest=-; else digest=$(openssl dgst -"$hash" -r "$name.der" | cut -d' ' -f1); fi
  echo "$name $hash $digest" >>expected.txt
}

pss='-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20'
for signed in md5:sha256 sha1:sha256 sha224 sha256 sha384 sha512 sha512-224 sha512-256 sha3-224 sha3-256 sha3-384 sha3-512; do
  by=${signed%%:*} binds=${signed##*:}
  make "rsa-$by" rsa "$binds" "-$by"
  # With SHA-1 all parameters are the defaults, so they are an empty sequence. SHA-3 and MD5 are not combined with PSS by OpenSSL.
  case $by in
    md5 | sha3-*) ;;
    *) make "rsa-pss-$by" rsa "$binds" "-$by" $pss ;;
  esac
  case $by in
    md5 | sha512-*) ;;
    *) make "ecdsa-p-256-$by" p-256 "$binds" "-$by" ;;
  esac
done
# A salt of its own length: the parameters have no hash, but something else.
make rsa-pss-sha1-salted rsa sha256 -sha1 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:11
# A key that is itself bound to PSS.
make rsa-pss-key-sha384 rsa-pss sha384 -sha384 -sigopt rsa_pss_saltlen:20
# One hash for the signature, another for the mask (MGF1): the first one counts.
make rsa-pss-sha384-mask-sha1 rsa sha384 -sha384 $pss -sigopt rsa_mgf1_md:sha1
make ecdsa-p-384-sha256 p-384 sha256 -sha256
make ecdsa-p-384-sha384 p-384 sha384 -sha384
make ecdsa-p-384-sha512 p-384 sha512 -sha512
make ed25519 ed25519 none
make ed448 ed448 none
