//! Which platform we run on, as its environment variables tell, and what that means for uploads.

use std::time::Duration;

/// A platform and the facts about it that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Its name as people write it.
    pub name: &'static str,
    /// Whether a container's disk is thrown away with the container. `None` where that depends on
    /// whether a volume is mounted at the upload directory, which the environment does not tell.
    pub ephemeral_disk: Option<bool>,
    /// The time between the signal that asks us to end and KILL, unless the operator has set
    /// another.
    pub stop_grace: Option<Duration>,
    /// The time from a container's start within which the app must answer on its port, where the
    /// platform has such a limit and nobody can raise it.
    pub boot_limit: Option<Duration>,
}

impl Platform {
    /// The platform that these environment variables belong to; `None` on anything else, such as a
    /// developer's machine.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let seconds = |name: &str| variable(name)?.trim().parse().ok().map(Duration::from_secs);
        let platform = |name, ephemeral_disk, stop_grace: Option<u64>| {
            let stop_grace = stop_grace.map(Duration::from_secs);
            Some(Self { name, ephemeral_disk, stop_grace, boot_limit: None })
        };
        let answering_within_a_minute =
            |platform: Self| Self { boot_limit: Some(Duration::from_secs(60)), ..platform };
        // Platforms with a name of their own come before Kubernetes, on which some of them are built.
        if set("CONTAINER") && set("APP") && set("CONTAINER_SIZE") {
            // doc.scalingo.com, Environment, Runtime Environment Variables. `CONTAINER` alone is
            // set by other things too (systemd-nspawn writes `container`, Docker images the other).
            platform("Scalingo", Some(true), Some(30)).map(answering_within_a_minute)
        } else if set("DYNO") {
            platform("Heroku", Some(true), Some(30)).map(answering_within_a_minute)
        } else if set("RENDER") {
            // A persistent disk can be attached; `maxShutdownDelaySeconds` can be raised to 300.
            platform("Render", None, Some(30))
        } else if set("K_SERVICE") && set("K_REVISION") {
            platform("Cloud Run", Some(true), Some(10))
        } else if set("FLY_APP_NAME") {
            // The signal is INT and `kill_timeout` is 5 s unless fly.toml says otherwise.
            platform("Fly.io", None, Some(5))
        } else if set("RAILWAY_ENVIRONMENT_ID") || set("RAILWAY_ENVIRONMENT") {
            // Sources differ on the default (0 s or 3 s), so only what is set is taken as known.
            let stop_grace = seconds("RAILWAY_DEPLOYMENT_DRAINING_SECONDS");
            Some(Self { name: "Railway", ephemeral_disk: None, stop_grace, boot_limit: None })
        } else if set("KUBERNETES_SERVICE_HOST") {
            // `terminationGracePeriodSeconds` is 30 s unless the pod says otherwise.
            platform("Kubernetes", None, Some(30))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(environment: &[(&str, &str)]) -> Option<(&'static str, Option<bool>, Option<u64>)> {
        let platform = Platform::detect(|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })?;
        let stop_grace = platform.stop_grace.map(|grace| grace.as_secs());
        Some((platform.name, platform.ephemeral_disk, stop_grace))
    }

    #[test]
    fn each_platform_is_known_by_its_variables() {
        let scalingo = [("CONTAINER", "web-1"), ("APP", "shop"), ("CONTAINER_SIZE", "M")];
        assert_eq!(detect(&scalingo), Some(("Scalingo", Some(true), Some(30))));
        assert_eq!(detect(&[("DYNO", "web.1")]), Some(("Heroku", Some(true), Some(30))));
        assert_eq!(detect(&[("RENDER", "true")]), Some(("Render", None, Some(30))));
        let cloud_run = [("K_SERVICE", "shop"), ("K_REVISION", "shop-0001")];
        assert_eq!(detect(&cloud_run), Some(("Cloud Run", Some(true), Some(10))));
        assert_eq!(detect(&[("FLY_APP_NAME", "shop")]), Some(("Fly.io", None, Some(5))));
        let mut railway = vec![("RAILWAY_ENVIRONMENT_ID", "1f")];
        assert_eq!(detect(&railway), Some(("Railway", None, None)));
        railway.push(("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "20"));
        assert_eq!(detect(&railway), Some(("Railway", None, Some(20))));
        let kubernetes = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
        assert_eq!(detect(&kubernetes), Some(("Kubernetes", None, Some(30))));
    }

    #[test]
    fn the_boot_limit_is_that_of_the_web_router() {
        let limit = |name: &'static str| {
            Platform::detect(|key| (key == name).then(|| "x".to_owned())).unwrap().boot_limit
        };
        assert_eq!(limit("DYNO"), Some(Duration::from_secs(60)));
        assert_eq!(limit("RENDER"), None);
    }

    #[test]
    fn a_platform_on_kubernetes_keeps_its_own_name() {
        let both = [("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("RENDER", "true")];
        assert_eq!(detect(&both).unwrap().0, "Render");
    }

    #[test]
    fn other_machines_are_no_platform() {
        assert_eq!(detect(&[]), None);
        assert_eq!(detect(&[("CONTAINER", "podman"), ("APP", "shop")]), None);
        assert_eq!(detect(&[("DYNO", "")]), None);
    }
}
