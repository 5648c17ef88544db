"""The manifest, and the inputs that are made for it."""

import unittest
from types import SimpleNamespace

import catalog
import inputs
import numpy as np


class Manifest(unittest.TestCase):
    def test_names_are_unique_and_tiers_known(self):
        entries = catalog.load()
        self.assertEqual(len({e["name"] for e in entries}), len(entries))
        self.assertLessEqual({e["tier"] for e in entries}, {"test", "models", "extra"})

    def test_every_real_input_has_a_function(self):
        for entry in catalog.load():
            for test_set in entry["sets"]:
                if "real" in test_set:
                    self.assertTrue(callable(getattr(inputs, test_set["real"])), entry["name"])

    def test_packaged_models_are_pinned_and_hashed(self):
        for entry in catalog.load():
            if "package" in entry["origin"]:
                self.assertRegex(entry["origin"]["version"], r"^\d+\.\d+")
                self.assertRegex(entry["origin"]["sha256"], r"^[0-9a-f]{64}$")


class Inputs(unittest.TestCase):
    def test_random_inputs_repeat_and_differ_between_sets(self):
        sets = {"inputs": {"x": {"dtype": "float32", "shape": [2, 3], "uniform": [-1, 1]}}}
        first, again, other = (inputs.build("m", i, sets, None)["x"] for i in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        self.assertFalse(np.array_equal(first, other))

    def test_resize_keeps_a_ramp_and_halves_by_averaging(self):
        ramp = np.arange(8, dtype=np.float32)[None, :, None].repeat(3, 2).repeat(4, 0)
        np.testing.assert_allclose(inputs.resize(ramp, 4, 8), ramp)
        np.testing.assert_allclose(inputs.resize(ramp, 4, 4)[0, :, 0], [0.5, 2.5, 4.5, 6.5])

    def test_line_has_height_48_and_values_in_range(self):
        x = inputs.line_for_recognition(None)["x"]
        self.assertEqual((x.shape[:3], x.dtype), ((1, 3, 48), np.float32))
        self.assertTrue((np.abs(x) <= 1).all())

    def test_file_bytes_are_stripped_and_padded(self):
        features = inputs.magika_features(b"  ab \n")
        self.assertEqual(features[:5].tolist(), [97, 98, 32, 10, 256])
        self.assertEqual(features[-5:].tolist(), [256, 32, 32, 97, 98])

    def test_voice_steps_carry_the_state(self):
        session = SimpleNamespace(run=lambda _, feed: [None, feed["state"] + 1])
        feed = inputs.silero_after(session, 16000, 3)
        self.assertEqual(feed["input"].shape, (1, 576))
        self.assertEqual(feed["state"].max(), 3)


if __name__ == "__main__":
    unittest.main()
