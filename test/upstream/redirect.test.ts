import { describe, expect, test } from '@jest/globals';
import { isPlaceForBlobs, isRedirect } from '../../proxy/upstream/redirect.ts';

const PUBLIC = { baseUrl: new URL('https://registry.test'), peer: '93.184.216.34' };
const PRIVATE = { baseUrl: new URL('https://registry.corp.test'), peer: '10.1.2.3' };
const LITERAL = { baseUrl: new URL('http://127.0.0.1:5000'), peer: '127.0.0.1' };

test('five statuses lead elsewhere', () => {
  const found = Array.from({ length: 600 }, (_, status) => status).filter(isRedirect);
  expect(found).toEqual([301, 302, 303, 307, 308]);
});

describe.each([
  ['a name', 'https://cdn.test/layer?sig=a%2Fb', [true, true, true]],
  ['a public address', 'https://93.184.216.34:8443/layer', [true, true, true]],
  ['a public IPv6 address', 'https://[2606:2800:220:1::1]/layer', [true, true, true]],
  ['a private address', 'http://10.0.0.5:9000/layer', [false, true, true]],
  ['a private IPv6 address', 'http://[fd00::5]/layer', [false, true, true]],
  ['the machine itself', 'http://127.0.0.1:8080/admin', [false, false, true]],
  ['the machine itself, in hexadecimal', 'http://0x7f000001/', [false, false, true]],
  ['the machine itself, as one number', 'http://2130706433/', [false, false, true]],
  ['the machine itself, with a dot', 'http://127.0.0.1./', [false, false, true]],
  ['another loopback address', 'http://127.0.0.2/', [false, false, false]],
  ['every address', 'http://0.0.0.0/', [false, false, false]],
  ['IPv6 loopback', 'http://[::1]/', [false, false, false]],
  ['IPv4 loopback in IPv6', 'http://[::ffff:127.0.0.2]/', [false, false, false]],
  ['metadata of a cloud', 'http://169.254.169.254/latest/', [false, false, false]],
  ['a link-local address', 'http://[fe80::1]/', [false, false, false]],
  ['metadata of another cloud', 'http://100.100.100.200/latest/', [false, false, false]],
  ['metadata of a cloud over IPv6', 'http://[fd00:ec2::254]/latest/', [false, false, false]],
  ['the host of a cloud machine', 'http://168.63.129.16/', [false, false, false]],
  ['loopback behind NAT64', 'http://[64:ff9b::7f00:1]/', [false, false, false]],
  ['loopback in 6to4', 'http://[2002:7f00:1::]/', [false, false, false]],
  ['loopback behind SIIT', 'http://[::ffff:0:127.0.0.1]/', [false, false, false]],
  ['another name of loopback', 'http://ip6-localhost/', [false, false, false]],
  ['a third name of loopback', 'http://ip6-loopback/', [false, false, false]],
  ['a fourth name of loopback', 'http://localhost6/', [false, false, false]],
  ['a long name of loopback', 'http://localhost.localdomain/', [false, false, false]],
  ['a group', 'http://[ff02::1]/', [false, false, false]],
  ['localhost', 'http://localhost:8080/', [false, false, false]],
  ['localhost with a dot', 'http://LOCALHOST./', [false, false, false]],
  ['a name under localhost', 'http://a.localhost/', [false, false, false]],
  ['a user name', 'https://user@cdn.test/', [false, false, false]],
  ['a password', 'https://:secret@cdn.test/', [false, false, false]],
  ['a backslash', 'https://cdn.test\\@127.0.0.1/', [false, false, false]],
  ['a space', 'https://cdn.test/a b', [false, false, false]],
  ['a space before it', ' https://cdn.test/', [false, false, false]],
  ['a letter beyond ASCII', 'https://cdn.tést/', [false, false, false]],
  ['a path', '/v2/elsewhere', [false, false, false]],
  ['no scheme', '//cdn.test/', [false, false, false]],
  ['another scheme', 'file:///etc/passwd', [false, false, false]],
  ['no host', 'https://', [false, false, false]],
  ['a port that is none', 'https://cdn.test:99999/', [false, false, false]],
])('%s', (_name, location, expected) => {
  test('from a public, a private and a local registry', () => {
    expect([PUBLIC, PRIVATE, LITERAL].map((from) => isPlaceForBlobs(location, from))).toEqual(expected);
  });
});

test('from a registry whose address is not known: as from a public one', () => {
  const from = { ...PRIVATE, peer: undefined };
  expect(isPlaceForBlobs('http://10.0.0.5/', from)).toBe(false);
  expect(isPlaceForBlobs('https://cdn.test/', from)).toBe(true);
  expect(isPlaceForBlobs(undefined, from)).toBe(false);
});

test('the registry’s own host, on any port', () => {
  for (const location of ['https://registry.test:9000/a', 'http://REGISTRY.test./a'])
    expect(isPlaceForBlobs(location, PUBLIC)).toBe(true);
  const six = { baseUrl: new URL('http://[::1]:5000'), peer: '::1' };
  expect(isPlaceForBlobs('http://[::1]:9000/', six)).toBe(true);
});
