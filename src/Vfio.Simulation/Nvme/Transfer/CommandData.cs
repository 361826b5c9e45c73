using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Transfer;

/// <summary>
/// Where the data of an admin command is: behind the PRPs of a queue entry, or in the buffer of whoever uses the controlling function's
/// channel.
/// </summary>
internal abstract class CommandData
{
    /// <summary>Controller to host.</summary>
    internal abstract NvmeStatus Send(ReadOnlySpan<byte> source);

    /// <summary>Host to controller.</summary>
    internal abstract NvmeStatus Receive(Span<byte> destination);
}

/// <summary>Data in a buffer of this process.</summary>
internal sealed class BufferData(Memory<byte> buffer) : CommandData
{
    /// <summary>Whether the command moved more than the buffer holds.</summary>
    internal bool Overran { get; private set; }

    internal override NvmeStatus Send(ReadOnlySpan<byte> source)
    {
        if (source.TryCopyTo(buffer.Span))
            return NvmeStatus.Success;
        Overran = true;
        return NvmeStatus.DataTransferError;
    }

    internal override NvmeStatus Receive(Span<byte> destination)
    {
        if (buffer.Length >= destination.Length)
        {
            buffer.Span[..destination.Length].CopyTo(destination);
            return NvmeStatus.Success;
        }

        Overran = true;
        return NvmeStatus.DataTransferError;
    }
}
