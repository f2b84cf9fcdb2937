"""Work on images, recordings and video."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from planner.demand.sections import Positive, Profile, Section


class Diffusion(Section):
    """Generate images day by day.

    Attributes
    ----------
    images_per_day : float
        Images per day.
    width, height : int
        Size of an image, in pixels.
    steps : int
        Denoising steps.
    guided : bool
        Classifier-free guidance, which doubles the passes.
    seconds_per_image_limit : float, optional
        Longest time for one image.
    profile : Profile
        How demand moves over the week.
    """

    images_per_day: Positive
    width: Annotated[int, Field(ge=64, le=16384)] = 1024
    height: Annotated[int, Field(ge=64, le=16384)] = 1024
    steps: Annotated[int, Field(ge=1, le=10_000)] = 28
    guided: bool = True
    seconds_per_image_limit: Positive | None = None
    profile: Profile = Profile.STEADY


class Transcribe(Section):
    """Turn recorded speech into text; nobody waits for the single recording.

    Attributes
    ----------
    audio_hours : float
        Hours of audio.
    deadline_hours : float, optional
        Hours by which it has to be done.
    """

    audio_hours: Positive
    deadline_hours: Positive | None = None


class Video(Section):
    """Generate clips day by day.

    Attributes
    ----------
    clips_per_day : float
        Clips per day.
    seconds : float
        Length of a clip.
    frames_per_s : float
        Frames that the model generates per second of video (Wan: 16, HunyuanVideo and LTX: 24, CogVideoX: 8).
    width, height : int
        Size of a frame, in pixels.
    steps : int
        Denoising steps.
    guided : bool
        Classifier-free guidance, which doubles the passes.
    seconds_per_clip_limit : float, optional
        Longest time for one clip.
    profile : Profile
        How demand moves over the week.
    """

    clips_per_day: Positive
    seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    frames_per_s: Annotated[float, Field(gt=0, le=120)] = 16.0
    width: Annotated[int, Field(ge=64, le=16384)] = 1280
    height: Annotated[int, Field(ge=64, le=16384)] = 720
    steps: Annotated[int, Field(ge=1, le=10_000)] = 50
    guided: bool = True
    seconds_per_clip_limit: Positive | None = None
    profile: Profile = Profile.STEADY

    @property
    def frames(self) -> float:
        """Frames of a clip."""
        return round(self.seconds * self.frames_per_s) + 1.0
