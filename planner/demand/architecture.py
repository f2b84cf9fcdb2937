"""Architecture: the numbers of a model from which parameters, FLOP and bytes follow exactly."""

from __future__ import annotations

from dataclasses import dataclass

from planner.errors import InputError
from planner.notes import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionPass:
    """What one pass of a denoiser costs, and the parts around it.

    Attributes
    ----------
    pass_flop : float
        FLOP of one denoising pass over one image of `reference_pixels` (2 x the published MACs).
    reference_pixels : float
        Width times height at which `pass_flop` holds.
    attention_share : float
        Share of `pass_flop` that is products of attention: it grows with the square of the tokens, the rest with the tokens.
    passes_if_guided : int
        Passes a step under classifier-free guidance: 2, or 1 for guidance-distilled models.
    denoiser_parameter_count, text_encoder_parameter_count, decoder_parameter_count : float
        Parameters of the three parts.
    text_token_share : float
        Share of the tokens at `reference_pixels` that are text and stay as they are when the image grows; 0 of a U-Net.
    block_count : int
        Residual and attention blocks that run one after another in a pass (a block of two streams counts as two).
    frames_per_latent : int
        Frames of a video that one latent frame stands for, beyond the first; 0 of a model of images. `reference_pixels` of a
        video are those of all its latent frames together.
    decoder_in_fp32 : bool
        Whether the latent is decoded in single precision, as the SDXL family's decoder must be.
    """

    pass_flop: float
    reference_pixels: float
    attention_share: float
    passes_if_guided: int
    denoiser_parameter_count: float
    text_encoder_parameter_count: float
    decoder_parameter_count: float
    text_token_share: float = 0.0
    block_count: int = 38
    frames_per_latent: int = 0
    decoder_in_fp32: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPass:
    """How a model hears, and how it writes down what it heard.

    Attributes
    ----------
    window_s : float
        Seconds to which every piece of audio is padded (Whisper: 30); 0 where a piece is as long as it is.
    frames_per_s : float
        Positions of the encoder for a second of audio.
    encoder_parameter_count, decoder_parameter_count : float
        Parameters of both parts; no decoder where the encoder's output is read off (CTC, transducers).
    decoder_layers : int
        Layers through which each token of text passes, one token after another.
    """

    window_s: float
    frames_per_s: float
    encoder_parameter_count: float
    decoder_parameter_count: float = 0.0
    decoder_layers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A transformer by its numbers, or a diffusion model by its passes.

    Attributes
    ----------
    name : str
        How the model is called in reports.
    kind : str
        ``decoder`` (generates text), ``encoder`` (turns text into vectors), ``speech`` (turns speech into text) or
        ``diffusion`` (makes images).
    layers, hidden, heads, kv_heads, head_dim, ffn, vocab : int
        Depth, width, query heads, key-value heads, width of a head, width of the dense MLP, vocabulary.
    gated_mlp, tied_embeddings : bool
        Three MLP matrices instead of two; one matrix for input and output embedding.
    experts, experts_per_token, expert_ffn, expert_hidden, shared_ffn, dense_layers : int
        Mixture of experts: routed experts, those that a token visits, their width, the width that they take in where it
        is not the model's (else 0), the summed width of the experts that every token visits, and how many layers are no
        mixture, wherever they stand.
    q_rank, kv_rank, rope_dim, nope_dim, value_dim : int
        Multi-head latent attention (DeepSeek): ranks of the compressed query and key-value, widths of the parts of a
        head with and without rotary position, and of the value. `kv_rank` 0 means ordinary attention, in which
        `value_dim` is the width of a value where it is not `head_dim`.
    window_tokens, windowed_layers, linear_layers : int
        Sliding window, how many layers have it, and how many have no growing cache at all (Mamba, linear attention).
    mixer_parameter_count : int
        Elements of what mixes tokens in all layers, where these are not `layers` times ordinary attention; else 0.
    cache_elements_per_token, window_elements_per_token : float
        Numbers cached for each token by the layers that see all, and by those that see a window, where these do not
        follow from heads and layers; else 0.
    state_bytes_per_sequence : float
        Bytes that a sequence takes whatever its length: recurrent states, keys and values of what it heard.
    qkv_bias, output_bias, mlp_bias : bool
        Which matrices have a bias.
    norm : str
        ``rms`` (h parameters), ``layer`` (2h) or ``layer_without_bias`` (h).
    norms_per_layer : int
        Norms of width h in a layer.
    final_norm : bool
        Whether one more norm stands behind the last layer.
    qk_norm : bool
        Norm of width `head_dim` on query and key.
    learned_positions : int
        Rows of a learned position table.
    extra_parameter_count : int
        What the family adds outside of these rules (poolers, token types, attention sinks, router biases).
    tower_parameter_count : int
        Weights beside the text model that no token passes through: towers for images and sound.
    native_precision : str
        Format in which the maker publishes the weights, where it is not 16 bit; else empty.
    max_context_tokens : int
        Longest context that the model was made for; 0 where unknown.
    stated_parameter_count, stated_active_parameter_count : float
        Where the source states a count that the numbers do not reproduce (or the numbers were guessed from it); else 0.
    diffusion : DiffusionPass or None
        For models of images and video.
    speech : SpeechPass or None
        For models that hear.
    source, as_of : str
        Who says so, and when it was read.
    notes : tuple of Note
        What was filled in.
    """

    name: str
    kind: str = "decoder"
    layers: int = 0
    hidden: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    ffn: int = 0
    vocab: int = 0
    gated_mlp: bool = True
    tied_embeddings: bool = False
    experts: int = 0
    experts_per_token: int = 0
    expert_ffn: int = 0
    shared_ffn: int = 0
    expert_hidden: int = 0
    dense_layers: int = 0
    q_rank: int = 0
    kv_rank: int = 0
    rope_dim: int = 0
    nope_dim: int = 0
    value_dim: int = 0
    window_tokens: int = 0
    windowed_layers: int = 0
    linear_layers: int = 0
    mixer_parameter_count: int = 0
    cache_elements_per_token: float = 0.0
    window_elements_per_token: float = 0.0
    state_bytes_per_sequence: float = 0.0
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    norm: str = "rms"
    norms_per_layer: int = 2
    final_norm: bool = True
    qk_norm: bool = False
    learned_positions: int = 0
    extra_parameter_count: int = 0
    tower_parameter_count: int = 0
    native_precision: str = ""
    max_context_tokens: int = 0
    stated_parameter_count: float = 0.0
    stated_active_parameter_count: float = 0.0
    diffusion: DiffusionPass | None = None
    speech: SpeechPass | None = None
    source: str = ""
    as_of: str = ""
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be, all faults at once."""
        if self.kind == "diffusion" or (self.stated_parameter_count and not self.layers):
            return
        faults = [
            f"{name} must be positive, got {getattr(self, name)}"
            for name in ("layers", "hidden", "heads", "kv_heads", "head_dim", "vocab")
            if getattr(self, name) <= 0
        ]
        if not self.kv_rank and self.kv_heads > 0 and self.heads % self.kv_heads:
            faults.append(f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})")
        if self.experts and not 0 < self.experts_per_token <= self.experts:
            faults.append(
                f"experts_per_token must lie between 1 and experts ({self.experts}), got {self.experts_per_token}"
            )
        if self.ffn <= 0 and not self.expert_ffn and not self.linear_layers:
            faults.append(f"ffn must be positive, got {self.ffn}")
        if faults:
            raise InputError(f"model {self.name!r}: " + "; ".join(faults), hint="see `gpuplan schema workload`")

    @property
    def is_moe(self) -> bool:
        """Whether some layers are mixtures of experts."""
        return self.experts > 0

    @property
    def moe_layers(self) -> int:
        """Layers that are mixtures of experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def attending_layers(self) -> int:
        """Layers that look back at tokens, all of them or a window."""
        return self.layers - self.linear_layers

    @property
    def value_width(self) -> int:
        """Width of a value in ordinary attention."""
        return self.value_dim or self.head_dim

    @property
    def cache_width(self) -> int:
        """Numbers that one layer caches for a token: the latent of MLA, else keys and values."""
        if self.kv_rank:
            return self.kv_rank + self.rope_dim
        return self.kv_heads * (self.head_dim + self.value_width)

    @property
    def group_count(self) -> int:
        """Key-value heads over which a tensor-parallel group can split the cache (MLA cannot split it: 1)."""
        return 1 if self.kv_rank else self.kv_heads
