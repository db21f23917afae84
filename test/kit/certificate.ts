// A certificate for localhost and its key, good for a hundred years and for tests alone.

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const certificate = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIULWs1dqxU81dDMssVyduymaWLRDwwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIxMzAxNVoYDzIxMjYxMDI4
MjEzMDE1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASsLO1+w8ltWDbpjmcPTYZJxze/na8Y8jwky9ZthDOyxVXsyBBQxM/u
54b9Sxqe3XHRdjgZT8fMUaScaghKMhDmo28wbTAdBgNVHQ4EFgQUzTGeIXqoHsgH
sKO/HmSB+gsZcA8wHwYDVR0jBBgwFoAUzTGeIXqoHsgHsKO/HmSB+gsZcA8wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgOuD96nrOo0Sv8z2v2HgthmXbMn+NRfyK/mSq+JWR/aQCIQD3
J6n8dULQZNF7OuQOTiBUbHXbbERUfmhFL5YBw8UHwg==
-----END CERTIFICATE-----
`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgo1NG8bbfkfw+TmYm
kTjIKJyopPEwn6fYGGMu/4falfGhRANCAASsLO1+w8ltWDbpjmcPTYZJxze/na8Y
8jwky9ZthDOyxVXsyBBQxM/u54b9Sxqe3XHRdjgZT8fMUaScaghKMhDm
-----END PRIVATE KEY-----
`;

/** Both as files of a folder. */
export function writeCertificate(folder: string): { cert_file: string; key_file: string } {
  const files = { cert_file: join(folder, "cert.pem"), key_file: join(folder, "key.pem") };
  writeFileSync(files.cert_file, certificate);
  writeFileSync(files.key_file, key);
  chmodSync(files.key_file, 0o600);
  return files;
}
