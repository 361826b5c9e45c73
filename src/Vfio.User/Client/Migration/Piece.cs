using Vfio.User.Client.Calls;
using Vfio.User.Transport;

namespace Vfio.User.Client.Migration;

/// <summary>One MIG_DATA_READ of a data stream, and its bytes until they are read. Not thread-safe.</summary>
internal sealed class Piece
{
    /// <summary>The call; null for bytes that are here already.</summary>
    public Call? Call { get; set; }

    /// <summary>What comes of the call.</summary>
    public Task<VfioResult<int>>? Reply { get; set; }

    /// <summary>Where its bytes are: in the reader's own memory, or in <see cref="Buffer"/>.</summary>
    public nint Address { get; set; }

    /// <summary>The buffer that the stream keeps its bytes in; null where they go to the reader's memory directly.</summary>
    public NativeBuffer? Buffer { get; set; }

    /// <summary>How many bytes were asked for.</summary>
    public int Asked { get; init; }

    /// <summary>How many of the bytes in <see cref="Buffer"/> have been read.</summary>
    public int Taken { get; set; }

    /// <summary>Whether the server's time was over before anything came: it is to be asked again, and nothing is lost.</summary>
    public bool IsLate { get; set; }

    /// <summary>How many bytes there are, or what came in their place; null while that is not known.</summary>
    public VfioResult<int>? Outcome { get; set; }
}
