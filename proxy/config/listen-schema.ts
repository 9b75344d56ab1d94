/** The part of the configuration that says how the pull port is reached. */
import { isTunnelPattern } from '../listen/targets.ts';
import { isIpAddress } from './names.ts';
import { file, fullList, hostName, list, port, section, text } from './schema-forms.ts';

const pemFile = (what: string) => file(`a PEM file with ${what}`);

export const certificateAuthority = pemFile('the certificate of a certificate authority').optional();

export const listenAddress = text(isIpAddress, 'an IP address', 'write one such as 127.0.0.1, 0.0.0.0 or ::');

const certificateFile = pemFile('the certificate chain');
const keyFile = pemFile('the private key').describe(
  'Private key of that certificate, PEM, without a passphrase.',
);

const hostCertificate = section({
  hosts: fullList(hostName(), 'host name').describe(
    'Host names it is shown for, all of them among its subject alternative names.',
  ),
  cert: certificateFile.describe('Certificate chain, PEM, the server certificate first.'),
  key: keyFile,
});

const tls = section({
  cert: certificateFile.describe('Certificate chain of the pull port, PEM, the server certificate first.'),
  key: keyFile,
  clientCa: certificateAuthority.describe(
    'Clients must show a certificate of this authority. Absent: they need none.',
  ),
  certificates: list(hostCertificate, 'certificate')
    .default([])
    .describe('Shown instead to clients that ask for one of their names, as after a DNS override.'),
});

const connect = section({
  certificates: fullList(hostCertificate, 'certificate').describe(
    'Registries whose HTTPS ends here, each name with the certificate that is shown for it.',
  ),
  tunnel: list(
    text(
      isTunnelPattern,
      'a tunnel',
      'write host:port or *.domain:port in lower case, such as auth.docker.io:443',
    ),
    'host and port',
  )
    .default([])
    .describe('Hosts that are let through unopened; all others are refused.'),
});

export const listen = section({
  address: listenAddress.default('0.0.0.0').describe('Address the pull port listens on.'),
  port: port().default(5050).describe('The pull port. 0 takes any free one.'),
  tls: tls.optional().describe('Serve HTTPS on the pull port. Absent: plain HTTP.'),
  connect: connect.optional().describe("Be the clients' HTTPS_PROXY. Absent: CONNECT is not answered."),
});
