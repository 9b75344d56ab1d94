/** From the configuration to what the pull port is made of: certificates, keys, and what CONNECT may reach. */
import { readFileSync } from 'node:fs';
import type { HostCertificateConfig, ListenConfig, TlsConfig } from '../config/types.ts';
import type { HostCertificate, TlsOptions } from '../listen/certificates.ts';
import type { ConnectOptions } from '../listen/connect.ts';
import type { ServerOptions } from '../server.ts';

type Reporting = Required<Pick<ConnectOptions, 'registryAt' | 'observe'>>;

export function readListenOptions(
  { tls, connect }: ListenConfig,
  reporting: Reporting,
): Pick<ServerOptions, 'tls' | 'connect'> {
  return {
    ...(tls === undefined ? {} : { tls: readTls(tls) }),
    ...(connect === undefined
      ? {}
      : {
          connect: {
            ...reporting,
            certificates: connect.certificates.map(readCertificate),
            tunnel: connect.tunnel,
          },
        }),
  };
}

function readTls({ cert, key, clientCa, certificates }: TlsConfig): TlsOptions {
  return {
    cert: cert.pem,
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { clientCa: clientCa.pem }),
    certificates: certificates.map(readCertificate),
  };
}

function readCertificate({ hosts, cert, key }: HostCertificateConfig): HostCertificate {
  return { hosts, cert: cert.pem, key: readFileSync(key) };
}
