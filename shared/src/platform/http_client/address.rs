//! The addresses that a URL of a user may reach: those of the public internet, in any notation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not the public internet: this network, private, shared (carriers', and some clouds'
/// metadata), loopback, link-local (most clouds' metadata), protocol assignments, documentation, 6to4 relays,
/// benchmarks, multicast, reserved and broadcast.
const CLOSED_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Blocks within the global unicast of IPv6 that are not the public internet: protocol assignments (Teredo,
/// benchmarks), documentation, 6to4 (which hides any IPv4 address), documentation again.
const CLOSED_V6: [([u16; 2], u32); 4] =
    [([0x2001, 0], 23), ([0x2001, 0x0db8], 32), ([0x2002, 0], 16), ([0x3fff, 0], 20)];

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let within = |(base, length): &([u8; 4], u32)| same_prefix_v4(v4, Ipv4Addr::from(*base), *length);
            !CLOSED_V4.iter().any(within)
        }
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => is_public_v6(v6),
        },
    }
}

/// The IPv4 address that an IPv6 address embeds: mapped, or by the well-known prefix of NAT64.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [prefix @ .., high, low] = v6.segments();
    let by_nat64 = prefix == [0x64, 0xff9b, 0, 0, 0, 0];
    let v4 = || Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    v6.to_ipv4_mapped().or_else(|| by_nat64.then(v4))
}

/// Only the global unicast range of IPv6 is public. Other embeddings of IPv4 (compatible, a network's own NAT64) are
/// outside it.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let within = |(base, length): &([u16; 2], u32)| {
        same_prefix_v6(v6, Ipv6Addr::new(base[0], base[1], 0, 0, 0, 0, 0, 0), *length)
    };
    v6.segments()[0] >> 13 == 1 && !CLOSED_V6.iter().any(within)
}

/// A block of addresses, such as `10.1.0.0/16`, or a single one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    base: IpAddr,
    length: u32,
}

impl Block {
    pub fn parse(text: &str) -> Option<Self> {
        let (base, length) = text.split_once('/').map_or((text, None), |(base, length)| (base, Some(length)));
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Some(most), |length| length.parse().ok().filter(|length| *length <= most))?;
        Some(Self { base, length })
    }

    pub fn contains_address(self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(v6) if self.base.is_ipv4() => embedded_v4(v6).map_or(address, IpAddr::V4),
            other => other,
        };
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(v4)) => same_prefix_v4(v4, base, self.length),
            (IpAddr::V6(base), IpAddr::V6(v6)) => same_prefix_v6(v6, base, self.length),
            _ => false,
        }
    }
}

fn same_prefix_v4(one: Ipv4Addr, other: Ipv4Addr, length: u32) -> bool {
    (u32::from(one) ^ u32::from(other)).checked_shr(32 - length).unwrap_or(0) == 0
}

fn same_prefix_v6(one: Ipv6Addr, other: Ipv6Addr, length: u32) -> bool {
    (u128::from(one) ^ u128::from(other)).checked_shr(128 - length).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Generates an address of a blocked range.
    fn closed() -> impl Strategy<Value = Ipv4Addr> {
        (0..CLOSED_V4.len(), any::<u32>()).prop_map(|(at, host)| {
            let (base, length) = CLOSED_V4[at];
            Ipv4Addr::from(u32::from(Ipv4Addr::from(base)) | (host & u32::MAX.checked_shr(length).unwrap_or(0)))
        })
    }

    /// Generates each embedding of an IPv4 address in IPv6.
    fn forms(v4: Ipv4Addr) -> [Ipv6Addr; 6] {
        let [a, b, c, d] = v4.octets().map(u16::from);
        let (high, low) = ((a << 8) | b, (c << 8) | d);
        [
            v4.to_ipv6_mapped(),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !high, !low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        ]
    }

    proptest! {
        #[test]
        fn no_closed_address_is_public_in_any_form(v4 in closed()) {
            prop_assert!(!is_public(v4.into()));
            for form in forms(v4) {
                prop_assert!(!is_public(form.into()), "{form}");
            }
        }

        #[test]
        fn an_address_outside_of_every_closed_block_is_public(v4 in any::<u32>().prop_map(Ipv4Addr::from)) {
            let closed = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_multicast() || v4.octets()[0] == 0 || v4.octets()[0] >= 224
                || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
                || (v4.octets()[0] == 198 && v4.octets()[1] & 0xfe == 18)
                || v4.octets()[..3] == [192, 0, 0] || v4.octets()[..3] == [192, 88, 99];
            prop_assert_eq!(is_public(v4.into()), !closed);
        }

        #[test]
        fn public_ipv6_is_global_unicast_or_an_embedded_public_ipv4_address(bits in any::<u128>()) {
            let v6 = Ipv6Addr::from(bits);
            if v6.segments()[0] >> 13 != 1 {
                prop_assert_eq!(is_public(v6.into()), embedded_v4(v6).is_some_and(|v4| is_public(v4.into())));
            }
        }

        #[test]
        fn a_block_holds_what_shares_its_prefix(base in any::<u32>(), other in any::<u32>(), length in 0_u32..=32) {
            let block = Block::parse(&format!("{}/{length}", Ipv4Addr::from(base))).unwrap();
            let same = length == 0 || (base >> (32 - length)) == (other >> (32 - length));
            prop_assert_eq!(block.contains_address(Ipv4Addr::from(other).into()), same);
            prop_assert_eq!(block.contains_address(Ipv4Addr::from(other).to_ipv6_mapped().into()), same);
        }
    }

    #[test]
    fn the_addresses_of_metadata_services_are_closed_and_known_public_ones_are_open() {
        for closed in
            ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::1", "::", "fe80::1", "ff02::1", "fc00::1"]
        {
            assert!(!is_public(closed.parse().unwrap()), "{closed}");
        }
        for open in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1", "172.32.0.1"] {
            assert!(is_public(open.parse().unwrap()), "{open}");
        }
        assert!(Block::parse("10.0.0.0/33").is_none() && Block::parse("10.0.0").is_none());
    }
}
