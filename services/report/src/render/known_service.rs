//! Services on the Internet that are worth a node of their own.

const DOMAINS: [&[u8]; 10] = [
    b".amazonaws.com",
    b".googleapis.com",
    b".weave.works",
    b".core.windows.net",
    b".servicebus.windows.net",
    b".azure-api.net",
    b".onmicrosoft.com",
    b".cloudapp.azure.com",
    b".database.windows.net",
    b".documents.azure.com",
];

/// Whether this host name belongs to a known service. Single EC2 machines do not: they would be too many.
pub(crate) fn is_known_service(name: &[u8]) -> bool {
    let in_domain = |domain: &[u8]| name.len() > domain.len() && name.ends_with(domain);
    // Scope's patterns do not match across lines.
    DOMAINS.iter().any(|d| in_domain(d))
        && !(name.starts_with(b"ec2") && name.ends_with(b".amazonaws.com"))
        && !name.contains(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_need_a_label_before_the_domain() {
        let check =
            |name: &str, want: bool| assert_eq!(is_known_service(name.as_bytes()), want, "{name}");
        check("s3.amazonaws.com", true);
        check("storage.googleapis.com", true);
        check("a.b.cloudapp.azure.com", true);
        check("amazonaws.com", false);
        check(".amazonaws.com", false);
        check("x.amazonaws.com.evil.org", false);
        check("ec2-1-2-3-4.compute.amazonaws.com", false);
        check("ec2.amazonaws.com", false);
        check("ec2.googleapis.com", true);
        check("notamazonaws.com", false);
        check("", false);
    }
}
