//! The addresses that an agent may reach: those of the public internet, and what the runner's settings add.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Blocks of IPv4 that are not the public internet: this network, private, shared by carriers, loopback, link-local
/// (metadata of most clouds), protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved.
const CLOSED_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Blocks of the global unicast range of IPv6 that are not the public internet: protocol assignments (with Teredo),
/// documentation, 6to4 (which hides an address of IPv4), documentation.
const CLOSED_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// A block of addresses, such as `10.1.0.0/16`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    base: IpAddr,
    length: u32,
}

impl FromStr for AddressBlock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no block of addresses such as 10.1.0.0/16");
        let (base, length) = text.split_once('/').map_or((text, None), |(base, length)| (base, Some(length)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if length > most { Err(wrong()) } else { Ok(Self { base, length }) }
    }
}

impl AddressBlock {
    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(v4)) => has_prefix_v4(v4, (base, self.length)),
            (IpAddr::V6(base), IpAddr::V6(v6)) => has_prefix_v6(v6, (base, self.length)),
            _ => false,
        }
    }
}

/// Which addresses may be reached, under every policy.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    /// Blocks that are permitted although they are not of the public internet.
    pub permitted: Vec<AddressBlock>,
}

impl AddressGuard {
    /// Whether a connection to an address may be made.
    pub fn admits(&self, address: IpAddr) -> bool {
        // What the kernel would connect to decides, not how it is written.
        let address = embedded_v4(address).map_or(address, IpAddr::V4);
        is_public(address) || self.permitted.iter().any(|block| block.contains(address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !CLOSED_V4.iter().any(|block| has_prefix_v4(v4, *block)),
        // All that is not global unicast is closed, also other ways to embed an address of IPv4.
        IpAddr::V6(v6) => v6.segments()[0] >> 13 == 1 && !CLOSED_V6.iter().any(|block| has_prefix_v6(v6, *block)),
    }
}

/// The address of IPv4 that one of IPv6 stands for: mapped, or by the well-known prefix of NAT64.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let [prefix @ .., high, low] = v6.segments();
    let is_translated = prefix == [0x64, 0xff9b, 0, 0, 0, 0];
    v6.to_ipv4_mapped().or_else(|| is_translated.then(|| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))))
}

fn has_prefix_v4(address: Ipv4Addr, (base, length): (Ipv4Addr, u32)) -> bool {
    (u32::from(address) ^ u32::from(base)).checked_shr(32 - length).unwrap_or(0) == 0
}

fn has_prefix_v6(address: Ipv6Addr, (base, length): (Ipv6Addr, u32)) -> bool {
    (u128::from(address) ^ u128::from(base)).checked_shr(128 - length).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_closed_address_is_admitted_in_any_form(at in 0..CLOSED_V4.len(), host in any::<u32>()) {
            let (base, length) = CLOSED_V4[at];
            let v4 = Ipv4Addr::from(u32::from(base) | (host & u32::MAX.checked_shr(length).unwrap_or(0)));
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = ((a << 8) | b, (c << 8) | d);
            let forms = [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
            ];
            let guard = AddressGuard::default();
            prop_assert!(!guard.admits(v4.into()));
            for form in forms {
                prop_assert!(!guard.admits(form.into()), "{}", form);
            }
        }

        #[test]
        fn an_address_outside_of_every_closed_block_is_admitted(number in any::<u32>()) {
            let v4 = Ipv4Addr::from(number);
            let [a, b, c, _] = v4.octets();
            let closed = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_documentation() || a == 0
                || a >= 224 || (a == 100 && b & 0xc0 == 64) || (a == 198 && b & 0xfe == 18)
                || [a, b, c] == [192, 0, 0] || [a, b, c] == [192, 88, 99];
            prop_assert_eq!(AddressGuard::default().admits(v4.into()), !closed);
        }

        #[test]
        fn a_permitted_block_admits_what_shares_its_prefix(host in any::<u32>(), length in 8_u32..=32) {
            let block: AddressBlock = format!("10.9.8.7/{length}").parse().unwrap();
            let guard = AddressGuard { permitted: vec![block] };
            let address = Ipv4Addr::from((host & 0x00ff_ffff) | 0x0a00_0000);
            let same = u32::from(address) >> (32 - length) == 0x0a09_0807 >> (32 - length);
            prop_assert_eq!(guard.admits(address.into()), same);
            prop_assert_eq!(guard.admits(address.to_ipv6_mapped().into()), same);
        }
    }

    #[test]
    fn the_addresses_of_metadata_services_are_closed_and_public_ones_are_open() {
        let guard = AddressGuard::default();
        for closed in
            ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::1", "::", "fe80::1", "ff02::1", "fc00::1"]
        {
            assert!(!guard.admits(closed.parse().unwrap()), "{closed}");
        }
        for open in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1", "172.32.0.1"] {
            assert!(guard.admits(open.parse().unwrap()), "{open}");
        }
        assert!("10.0.0.0/33".parse::<AddressBlock>().is_err() && "10.0.0".parse::<AddressBlock>().is_err());
    }
}
