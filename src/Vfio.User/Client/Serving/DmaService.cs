using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Vfio.User.Client.Calls;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Serving;

/// <summary>Carries out what a server asks of its client: DMA_READ and DMA_WRITE, with QEMU's answers. Not thread-safe.</summary>
internal sealed class DmaService(IDmaSpace? dma, ILogger logger, string name) : IDisposable
{
    private readonly Reply _reply = new();
    private bool _hasFailed;

    /// <summary>Carries a command out and answers it.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="body">Its body.</param>
    /// <param name="descriptorCount">How many descriptors came along: none is wanted.</param>
    /// <param name="sender">Where the answer goes.</param>
    /// <returns>False: the answer cannot be sent.</returns>
    public bool Answer(in MessageHeader header, ReadOnlySpan<byte> body, int descriptorCount, MessageSender sender)
    {
        VfioResult<int> result;
        try
        {
            result = descriptorCount != 0 ? Errno.EINVAL : CarryOut(header.Command, body);
        }
        catch (Exception fault)
        {
            // Once: memory that fails at every access must not fill the log.
            if (!_hasFailed)
                logger.MemoryFailed(fault, name);
            _hasFailed = true;
            result = Errno.EIO;
        }

        return header.NoReply || _reply.Send(sender, header, result) == Errno.None;
    }

    public void Dispose() => _reply.Dispose();

    private VfioResult<int> CarryOut(Command command, ReadOnlySpan<byte> body)
    {
        if (command is not (Command.DmaRead or Command.DmaWrite))
            return Errno.ENOSYS;
        if (!MemoryMarshal.TryRead<DmaAccessStructure>(body, out var asked))
            return Errno.EINVAL;
        var data = body[DmaAccessStructure.Size..];
        if (asked.Count > Limits.DataTransfer || (command == Command.DmaWrite && (ulong)data.Length < asked.Count))
            return Errno.E2BIG;
        var count = (int)asked.Count;
        var read = command == Command.DmaRead ? count : 0;
        var payload = _reply.Payload(DmaAccessStructure.Size + read);
        MemoryMarshal.Write(payload, asked);
        if (count == 0)
            return payload.Length;
        var result = dma is null ? Errno.EFAULT
            : read != 0 ? dma.Read(asked.Address, payload[DmaAccessStructure.Size..]) : dma.Write(asked.Address, data[..count]);
        return result.IsSuccess ? payload.Length : result.Error == Errno.EFAULT ? Errno.ENODEV : result.Error;
    }
}
