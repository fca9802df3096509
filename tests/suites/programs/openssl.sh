# openssl: digests, ciphers, keys, certificates, and a TLS connection between two of its own processes.
set -e
seq 1 50000 > data
for d in md5 sha1 sha256 sha512 sha3-256 blake2b512 sm3; do openssl dgst -$d data; done
for c in aes-128-cbc aes-256-ctr aes-256-gcm chacha20 camellia-128-cbc; do
  openssl enc -$c -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f \
    -in data -out out/$c 2>/dev/null && md5sum out/$c || echo "$c: $?"
done
openssl prime -generate -bits 64 | wc -l
openssl prime 18446744073709551557
openssl genrsa -out key 2048 2>/dev/null
openssl req -x509 -new -key key -subj /CN=localhost -days 3650 -out cert 2>/dev/null
openssl dgst -sha256 -sign key -out sig data
openssl x509 -in cert -pubkey -noout > pub
openssl dgst -sha256 -verify pub -signature sig data
for curve in prime256v1 secp384r1; do
  openssl ecparam -genkey -name $curve -noout -out ec
  openssl pkey -in ec -pubout -out ecpub
  openssl dgst -sha256 -sign ec -out sig data
  openssl dgst -sha256 -verify ecpub -signature sig data
done
openssl genpkey -algorithm ed25519 -out ed
openssl pkeyutl -sign -inkey ed -rawin -in data -out sig
openssl pkeyutl -verify -inkey ed -rawin -in data -sigfile sig
openssl s_server -accept 127.0.0.1:24433 -key key -cert cert -www -quiet & server=$!
for i in $(seq 1 100); do
  printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect 127.0.0.1:24433 -quiet -CAfile cert -verify_return_error \
    > page 2>/dev/null && break
  sleep 0.2
done
kill $server
grep -o 'Protocol *: TLSv1.[0-9]' page | head -1
