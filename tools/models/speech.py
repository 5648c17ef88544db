"""A recording of a voice, step by step, as the voice detector hears it."""

import wave

import catalog
import numpy as np

RATE = 16000
# By sampling rate: the samples of a step, and those of the step before that it sees again.
WINDOWS = {16000: (512, 64), 8000: (256, 32)}


def recording():
    """The samples in [-1, 1) at `RATE`."""
    with wave.open(str(catalog.REAL / "speech.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def halved(wave):
    """The same at half the rate: a windowed sinc takes out what would alias."""
    taps = np.arange(-32, 33)
    lowpass = np.sinc(taps * 0.46) * 0.46 * np.hamming(len(taps))
    return np.convolve(wave, lowpass, "same")[::2].astype(np.float32)


def at(session, seconds, rate):
    """The inputs of the step that begins after `seconds`: its window with context, and the state that all steps before it left."""
    window, context = WINDOWS[rate]
    samples = recording() if rate == RATE else halved(recording())
    samples = np.concatenate([np.zeros(context, np.float32), samples])
    state = np.zeros((2, 1, 128), np.float32)
    last = int(seconds * rate) // window
    for step in range(last + 1):
        chunk = samples[step * window : step * window + context + window][None]
        feed = {"input": chunk, "state": state, "sr": np.array(rate, np.int64)}
        if step < last:
            state = session.run(None, feed)[1]
    return feed


def silence_16k(session):
    """Before the first word."""
    return at(session, 0.2, 16000)


def onset_16k(session):
    """The first word begins."""
    return at(session, 0.26, 16000)


def speech_16k(session):
    """In the middle of the sentence."""
    return at(session, 1.8, 16000)


def silence_8k(session):
    """Before the first word."""
    return at(session, 0.2, 8000)


def speech_8k(session):
    """In the middle of the sentence."""
    return at(session, 1.8, 8000)
