"""The manifest, and the inputs that are made for it."""

import unittest
from types import SimpleNamespace

import catalog
import inputs
import meanings
import numpy as np
import pages
import photographs
import prose
import speech


class Manifest(unittest.TestCase):
    def test_names_are_unique_and_tiers_known(self):
        entries = catalog.load()
        self.assertEqual(len({e["name"] for e in entries}), len(entries))
        self.assertLessEqual({e["tier"] for e in entries}, {"test", "models", "extra"})

    def test_every_real_input_has_a_function(self):
        for entry in catalog.load():
            for test_set in entry["sets"]:
                if "real" in test_set:
                    self.assertTrue(callable(inputs.natural(test_set["real"])), entry["name"])

    def test_what_trained_models_show_is_checked(self):
        for entry in catalog.load():
            for test_set in entry["sets"]:
                if "real" in test_set and entry["tier"] == "test":
                    self.assertTrue(test_set["shows"], entry["name"])
                for name in test_set.get("shows", {}):
                    self.assertTrue(callable(getattr(meanings, name)), name)

    def test_every_tested_model_has_random_and_real_inputs(self):
        for entry in catalog.load():
            if entry["tier"] != "extra":
                kinds = {"real" if "real" in test_set else "random" for test_set in entry["sets"]}
                self.assertEqual(kinds, {"real", "random"}, entry["name"])

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
        np.testing.assert_allclose(pages.resize(ramp, 4, 8), ramp)
        np.testing.assert_allclose(pages.resize(ramp, 4, 4)[0, :, 0], [0.5, 2.5, 4.5, 6.5])

    def test_file_bytes_are_stripped_and_padded(self):
        features = inputs.magika_features(b"  ab \n")
        self.assertEqual(features[:5].tolist(), [97, 98, 32, 10, 256])
        self.assertEqual(features[-5:].tolist(), [256, 32, 32, 97, 98])

    def test_photographs_are_scaled_cropped_and_normalised(self):
        white = photographs.cropped(photographs.Image.new("RGB", (60, 30), "white"), 16, 12)
        self.assertEqual((white.shape, white.min()), ((12, 12, 3), 255))
        x = photographs.cat_for_imagenet(None)["x"]
        self.assertEqual((x.shape, x.dtype), ((1, 3, 224, 224), np.float32))
        # A photograph is neither flat nor noise: its neighbours are alike.
        self.assertGreater(x.std(), 0.5)
        self.assertLess(np.abs(np.diff(x)).mean(), 0.2)

    def test_decode_starts_with_no_past_and_ends_before_the_last_token(self):
        caches = [SimpleNamespace(name=f"past_{i}", shape=[1, 2, "past", 4]) for i in range(2)]

        def step(_, feed):
            return [None, *(np.concatenate([feed[c.name], np.ones((1, 2, 1, 4))], 2) for c in caches)]

        session = SimpleNamespace(get_inputs=lambda: [None, *caches], run=step)
        feed = prose.address_for_decode(session)
        self.assertEqual(feed["past_1"].shape, (1, 2, prose.LLAMA_LENGTH - 1, 4))
        self.assertEqual(feed["input_ids"].tolist(), [[3 + prose.text()[prose.LLAMA_LENGTH - 2]]])


class Pages(unittest.TestCase):
    def test_lines_and_pages_have_the_models_sizes_and_ranges(self):
        shapes = {
            "page_for_detection": (1, 3, 192, 384),
            "line_for_recognition": (1, 3, 48, 1024),
            "heading_upright": (1, 3, 48, 192),
            "heading_upside_down": (1, 3, 48, 192),
        }
        for name, shape in shapes.items():
            x = getattr(pages, name)(None)["x"]
            self.assertEqual((x.shape, x.dtype), (shape, np.float32), name)
            # Ink and paper, within what the models were trained on.
            self.assertLess(x.min(), -0.5, name)
            self.assertTrue(0.5 < x.max() <= 1, name)

    def test_upside_down_is_half_a_turn(self):
        upright, turned = (pages.heading_upright(None)["x"], pages.heading_upside_down(None)["x"])
        np.testing.assert_allclose(turned, upright[..., ::-1, ::-1], atol=1.01 / 127.5)

    def test_a_page_is_padded_below_for_yolox(self):
        image = pages.page_for_yolox(None)["images"]
        self.assertEqual((image.shape, image.dtype), ((1, 3, 416, 416), np.float32))
        self.assertTrue((image[:, :, 207:] == pages.PADDING).all())
        self.assertGreater(image[:, :, :206].std(), 20)


class Speech(unittest.TestCase):
    def test_steps_carry_the_state_and_see_the_step_before(self):
        session = SimpleNamespace(run=lambda _, feed: [None, feed["state"] + 1])
        feed = speech.at(session, 3 * 512 / 16000, 16000)
        self.assertEqual(feed["state"].max(), 3)
        np.testing.assert_array_equal(feed["input"][0], speech.recording()[3 * 512 - 64 : 4 * 512])

    def test_halving_keeps_low_tones_and_drops_high_ones(self):
        time = np.arange(4000) / speech.RATE
        low, high = (speech.halved(np.sin(2 * np.pi * hertz * time)) for hertz in (1000, 6000))
        np.testing.assert_allclose(low[100:-100], np.sin(2 * np.pi * 1000 * time[::2])[100:-100], atol=0.01)
        self.assertLess(np.abs(high[100:-100]).max(), 0.01)


class Meanings(unittest.TestCase):
    def test_a_wrong_meaning_is_refused(self):
        meanings.check({"shows": {"classes": [1, 0]}}, [np.array([[0, 1], [3, 2]])], None)
        with self.assertRaisesRegex(ValueError, r"show \[1, 0\], expected \[1, 1\]"):
            meanings.check({"shows": {"classes": [1, 1]}}, [np.array([[0, 1], [3, 2]])], None)

    def test_voice_may_be_unsure(self):
        seen = [meanings.voice([np.array([[p]])], None) for p in (0.9, 0.02, 0.3)]
        self.assertEqual(seen, [True, False, None])

    def test_lines_are_counted_where_they_are_apart(self):
        ink = np.zeros((1, 1, 12, 16))
        ink[..., [0, 4, 5, 11], :8] = 1
        self.assertEqual(meanings.lines([ink], None), 3)
        self.assertEqual(meanings.lines([np.ones_like(ink)], None), 1)

    def test_text_drops_repetitions_and_blanks(self):
        metadata = SimpleNamespace(custom_metadata_map={"character": "a\nb"})
        session = SimpleNamespace(get_modelmeta=lambda: metadata)
        self.assertEqual(meanings.text([np.eye(4)[[0, 1, 1, 0, 1, 3, 2]][None]], session), "aa b")

    def test_the_surest_box_counts_if_it_is_sure(self):
        outputs = np.zeros((1, 6, 5))
        self.assertIsNone(meanings.box_class([outputs], None))
        outputs[0, 5, 2] = 0.7
        self.assertEqual(meanings.box_class([outputs], None), 1)

    def test_boxes_must_lie_on_the_page(self):
        outputs = np.zeros((1, 3549, 6))
        outputs[0, :30, 4:] = 1
        self.assertTrue(meanings.boxes_in_upper_half([outputs], None))
        outputs[0, 52 * 40, 4:] = 1
        self.assertFalse(meanings.boxes_in_upper_half([outputs], None))
        self.assertFalse(meanings.boxes_in_upper_half([np.zeros((1, 3549, 6))], None))


class Prose(unittest.TestCase):
    def test_tokens_of_bert_spell_the_text(self):
        spelled = "".join(token for token, _ in prose.bert_tokens() if token not in ("[CLS]", "[SEP]"))
        plain = prose.text().decode().lower()
        self.assertEqual(spelled.replace("##", ""), "".join(plain.split()))

    def test_bert_has_two_parts_and_padding(self):
        feed = prose.address_for_bert(None)
        ids, mask, types = (feed[n][0] for n in ("input_ids", "attention_mask", "token_type_ids"))
        self.assertEqual(ids[types == 1].tolist().count(102), 1)
        self.assertEqual(ids[: (types == 1).argmax()].tolist().count(102), 1)
        self.assertTrue((ids[mask == 0] == 0).all() and (types[mask == 0] == 0).all())
        self.assertLess(mask.sum(), prose.BERT_LENGTH)

    def test_bytes_are_tokens_of_gpt2(self):
        # From the published vocabulary: "!" is 0, "A" 32, "a" 64, newline 198, space 220.
        ids = prose.gpt2_byte_ids()
        self.assertEqual([ids[ord(c)] for c in "!Aa\n "], [0, 32, 64, 198, 220])
        self.assertEqual(sorted(ids), list(range(256)))


if __name__ == "__main__":
    unittest.main()
