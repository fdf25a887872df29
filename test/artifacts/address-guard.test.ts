import { describe, expect, it } from "vitest";
import { kindOfAddress } from "../../src/artifacts/address-guard.ts";

describe("kindOfAddress", () => {
  it.each([
    ["public", "1.2.3.4"],
    ["public", "172.32.0.1"],
    ["public", "2606:4700::1111"],
    ["public", "64:ff9b::808:808"],
    ["public", "2002:808:808::1"],
    ["private", "127.0.0.1"],
    ["private", "127.255.0.3"],
    ["private", "10.1.1.1"],
    ["private", "172.31.255.255"],
    ["private", "192.168.0.1"],
    ["private", "100.64.1.1"],
    ["private", "::1"],
    ["private", "fd00::1"],
    ["private", "::ffff:127.0.0.1"],
    ["private", "::ffff:a00:1"],
    ["private", "::7f00:1"],
    ["private", "64:ff9b::7f00:1"],
    ["private", "2002:7f00:1::"],
    ["forbidden", "169.254.169.254"],
    ["forbidden", "100.100.100.200"],
    ["forbidden", "0.0.0.0"],
    ["forbidden", "255.255.255.255"],
    ["forbidden", "224.0.0.1"],
    ["forbidden", "::"],
    ["forbidden", "fe80::1"],
    ["forbidden", "fe80::1%eth0"],
    ["forbidden", "fd00:ec2::254"],
    ["forbidden", "::ffff:169.254.169.254"],
    ["forbidden", "64:ff9b::a9fe:a9fe"],
    ["forbidden", "2002:a9fe:a9fe::1"],
    ["forbidden", "no address"],
  ])("%s: %s", (kind, address) => {
    expect(kindOfAddress(address)).toBe(kind);
  });
});
