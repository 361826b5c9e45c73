using Microsoft.Win32.SafeHandles;
using Vfio.User.Wire;

namespace Vfio.User.Transport;

/// <summary>
/// The reply that is being made: its payload and the descriptors that go along. Reused for one reply after the other. Not thread-safe.
/// </summary>
internal sealed unsafe class Reply : IDisposable
{
    private const int InitialCapacity = 4096;
    private readonly NativeBuffer _buffer = new(InitialCapacity);
    private SafeFileHandle[] _descriptors = [];
    private int _descriptorCount;

    /// <summary>Room for the payload.</summary>
    /// <param name="length">Bytes.</param>
    public Span<byte> Payload(int length)
    {
        _buffer.EnsureCapacity(MessageHeader.Size + length);
        return _buffer.Span(MessageHeader.Size, length);
    }

    /// <summary>Room for the payload, for a device that fills it asynchronously.</summary>
    /// <param name="length">Bytes.</param>
    public Memory<byte> PayloadMemory(int length)
    {
        _buffer.EnsureCapacity(MessageHeader.Size + length);
        return _buffer.Memory(MessageHeader.Size, length);
    }

    /// <summary>Passes a descriptor along; it stays its owner's, and open until the reply has been sent.</summary>
    /// <exception cref="InvalidOperationException">It is not open.</exception>
    public int Attach(SafeFileHandle descriptor)
    {
        if (descriptor.IsInvalid || descriptor.IsClosed)
            throw new InvalidOperationException("The device answered a descriptor that is not open.");
        if (_descriptorCount == _descriptors.Length)
            Array.Resize(ref _descriptors, Math.Max(4, _descriptors.Length * 2));
        _descriptors[_descriptorCount] = descriptor;
        return _descriptorCount++;
    }

    /// <summary>Forgets what was attached.</summary>
    public void Clear()
    {
        Array.Clear(_descriptors, 0, _descriptorCount);
        _descriptorCount = 0;
    }

    /// <summary>Sends it: the payload, or an error, which is a header and nothing else.</summary>
    /// <param name="sender">Where to.</param>
    /// <param name="request">The header of the request.</param>
    /// <param name="result">Bytes of the payload, or the errno.</param>
    public Errno Send(MessageSender sender, in MessageHeader request, VfioResult<int> result)
    {
        if (!result.IsSuccess)
            return SendError(sender, request, result.Error);
        var header = (MessageHeader*)_buffer.Address;
        *header = new MessageHeader
        {
            Id = request.Id,
            Command = request.Command,
            MessageSize = (uint)(MessageHeader.Size + result.Value),
            Flags = MessageFlags.Reply,
        };
        return sender.Send(_buffer.Address, (int)header->MessageSize, descriptors: _descriptors.AsSpan(0, _descriptorCount));
    }

    /// <summary>Answers a request with an error, unless it wants no answer.</summary>
    public static Errno SendError(MessageSender sender, in MessageHeader request, Errno error, ICancelled? cancelled = null)
    {
        if (request.NoReply)
            return Errno.None;
        var header = new MessageHeader
        {
            Id = request.Id,
            Command = request.Command,
            MessageSize = MessageHeader.Size,
            Flags = MessageFlags.Reply | MessageFlags.Error,
            Error = (uint)error,
        };
        return sender.Send((byte*)&header, MessageHeader.Size, cancelled: cancelled);
    }

    public void Dispose() => _buffer.Dispose();
}
