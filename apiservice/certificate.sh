#!/bin/sh
# Makes what kube-apiserver and the server need to trust each other's connection: an authority and, signed by it, a serving
# certificate for the Service, in the folder tls beside this file. Run again to renew both, then apply again. The authority's key
# is not kept: nothing else can be signed with it.
set -eu

DAYS=${DAYS:-365}
cd "$(dirname "$0")"
umask 077
mkdir -p tls
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/openssl.cnf" <<CONFIG
[req]
distinguished_name = name
prompt = no
[name]
CN = smi-metrics
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[serving]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = DNS:smi-metrics.smi-metrics.svc, DNS:smi-metrics.smi-metrics.svc.cluster.local, DNS:smi-metrics.smi-metrics, DNS:smi-metrics
CONFIG

openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
openssl req -x509 -new -sha256 -key "$work/ca.key" -days "$DAYS" -subj "/CN=smi-metrics-ca" \
  -config "$work/openssl.cnf" -extensions authority -out "$work/ca.crt"

openssl ecparam -name prime256v1 -genkey -noout -out "$work/ec.key"
openssl pkcs8 -topk8 -nocrypt -in "$work/ec.key" -out "$work/tls.key"
openssl req -new -sha256 -key "$work/tls.key" -config "$work/openssl.cnf" -out "$work/tls.csr"
openssl x509 -req -sha256 -in "$work/tls.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
  -days "$DAYS" -extfile "$work/openssl.cnf" -extensions serving -out "$work/tls.crt" 2>/dev/null

openssl verify -CAfile "$work/ca.crt" "$work/tls.crt" >/dev/null
# While the new certificate makes its way to the servers, kube-apiserver must go on believing the old one.
[ ! -f tls/ca.crt ] || openssl x509 -in tls/ca.crt >>"$work/ca.crt"
mv "$work/ca.crt" "$work/tls.crt" "$work/tls.key" tls/
echo "apiservice/tls: serving certificate and its authority, valid for $DAYS days"
