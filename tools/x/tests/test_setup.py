"""What set-up says when it may not install."""

import unittest
from unittest import mock

import setup


class Debian(unittest.TestCase):
    def attempt(self, user, missing, policy=None):
        known = "".join(f"{name}:\n  Installed: (none)\n  Candidate: 1\n" for name in missing)
        answer = mock.Mock(stdout=known if policy is None else policy)
        with mock.patch.object(setup, "debian_missing", return_value=missing), \
             mock.patch.object(setup, "have", return_value=True), \
             mock.patch.object(setup.os, "geteuid", return_value=user), \
             mock.patch.object(setup.subprocess, "run", return_value=answer), \
             mock.patch.object(setup, "run") as run:
            setup.setup_debian()
        return [call.args[0] for call in run.call_args_list]

    def test_without_root_the_command_is_named(self):
        with self.assertRaises(setup.Failed) as caught:
            self.attempt(1000, ["lld-22"])
        self.assertIn("sudo apt-get install -y --no-install-recommends lld-22", str(caught.exception))

    def test_root_installs_what_is_missing(self):
        commands = self.attempt(0, ["lld-22", "zlib1g-dev"])
        self.assertEqual(commands[0][:2], ["apt-get", "update"])
        self.assertEqual(commands[1][-2:], ["lld-22", "zlib1g-dev"])

    def test_packages_that_no_archive_has_are_named_with_the_archive(self):
        policy = "g++:\n  Installed: (none)\n  Candidate: 4:12\nlld-22:\n  Installed: (none)\n  Candidate: (none)\n"
        with self.assertRaises(setup.Failed) as caught:
            self.attempt(0, ["g++", "lld-22", "mlir-22-tools"], policy)
        self.assertIn("no archive of this machine has lld-22, mlir-22-tools.", str(caught.exception))
        self.assertIn("bookworm-security", str(caught.exception))

    def test_nothing_missing_runs_nothing(self):
        self.assertEqual(self.attempt(1000, []), [])


if __name__ == "__main__":
    unittest.main()
