/** The part of the configuration that says how the pull port is reached. */
import { isTunnelPattern } from '../listen/targets.ts';
import { isIpAddress } from './names.ts';
import { file, fullList, hostName, list, port, section, text } from './schema-forms.ts';

const pemFile = (what: string) => file(`a PEM file with ${what}`);

export const certificateAuthority = pemFile('a CA certificate').optional();

export const listenAddress = text(isIpAddress, 'an IP address', 'write one such as 127.0.0.1, 0.0.0.0 or ::');

const certificateFile = pemFile('the certificate chain');
const keyFile = pemFile('the private key').describe(
  'Private key of that certificate, PEM, without a passphrase.',
);

const hostCertificate = section({
  hosts: fullList(hostName(), 'host name').describe(
    'Host names the certificate is used for, each one of its subject alternative names.',
  ),
  cert: certificateFile.describe('Certificate chain, PEM, the server certificate first.'),
  key: keyFile,
});

const tls = section({
  cert: certificateFile.describe('Certificate chain of the pull port, PEM, the server certificate first.'),
  key: keyFile,
  clientCa: certificateAuthority.describe(
    'CA certificate for client certificates, which are then required. Absent: not required.',
  ),
  certificates: list(hostCertificate, 'certificate')
    .default([])
    .describe('Certificates for further host names (SNI), as after a DNS override.'),
});

const connect = section({
  certificates: fullList(hostCertificate, 'certificate').describe(
    'Registries whose HTTPS the proxy terminates, each host with its certificate.',
  ),
  tunnel: list(
    text(
      isTunnelPattern,
      'a tunnel target',
      'write host:port or *.domain:port in lower case, such as auth.docker.io:443',
    ),
    'host and port',
  )
    .default([])
    .describe('Hosts that CONNECT may tunnel to unopened; all others are refused.'),
});

export const listen = section({
  address: listenAddress.default('0.0.0.0').describe('Address the pull port listens on.'),
  port: port().default(5050).describe('The pull port. 0 takes any free one.'),
  tls: tls.optional().describe('Serve HTTPS on the pull port. Absent: plain HTTP.'),
  connect: connect.optional().describe("Act as the clients' HTTPS_PROXY. Absent: CONNECT is not supported."),
});
