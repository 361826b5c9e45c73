using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Wire;

namespace Vfio.User.Transport;

/// <summary>
/// Cuts the stream into messages, however the other side has split it, and gives each message the descriptors that came with it. One caller
/// at a time.
/// </summary>
/// <remarks>
/// The first receive of a message asks for 48 bytes: a whole REGION_READ, DMA_MAP or DMA_UNMAP, or a REGION_WRITE of up to 16 bytes, then
/// takes one call. What is read beyond the message belongs to the next ones. The kernel ends a receive after the piece that carried
/// descriptors, so these belong to the message that starts last in what was received, or to the one in progress if none starts in it.
/// </remarks>
internal sealed unsafe class MessageReceiver : IDisposable
{
    private const int ChunkSize = 48;
    private const int InitialBody = 4096;
    private readonly SafeFileHandle _socket;
    private readonly NativeBuffer _chunk = new(ChunkSize);
    private readonly NativeBuffer _control = new((int)Libc.CMSG_SPACE(Libc.SCM_MAX_FD * sizeof(int)));
    private readonly DescriptorList _later = new();
    private NativeBuffer _body = new(InitialBody);
    private DescriptorList _descriptors = new();
    private MessageHeader _header;
    private int _chunkLength;
    private int _bodyReceived;
    private int _bodyLength;
    private int _ownLength;
    private byte* _placed;
    private int _messagesBeforeLater;
    private bool _headerReceived;
    private bool _complete;

    public MessageReceiver(SafeFileHandle socket) => _socket = socket;

    /// <summary>Who says where the data of a message goes; null: into the receiver's own buffer, always.</summary>
    public IDataPlacement? Placement { get; set; }

    /// <summary>The header of the message that has been received, or of the one that was malformed.</summary>
    public ref readonly MessageHeader Header => ref _header;

    /// <summary>The body; without the data, if <see cref="Placement"/> has named another place for it.</summary>
    public ReadOnlySpan<byte> Body => new(_body.Address, _ownLength);

    /// <summary>The descriptors that came with the message; what nobody takes is closed when the next one is received.</summary>
    public DescriptorList Descriptors => _descriptors;

    /// <summary>Receives the next message, or goes on with the one that an earlier call was interrupted in.</summary>
    /// <param name="wait">How to wait; null to block in the receive itself until something comes or the socket is shut down.</param>
    public ReceiveStatus Receive(ReceiveWait? wait)
    {
        if (_complete)
            BeginNext();
        while (!_headerReceived)
        {
            if (_chunkLength >= MessageHeader.Size)
            {
                if (!TakeHeader())
                    return ReceiveStatus.Malformed;
                break;
            }

            var status = ReceiveBytes(_chunk.Address + _chunkLength, ChunkSize - _chunkLength, _later, wait, out var count);
            if (status != ReceiveStatus.Message)
                return status;
            _chunkLength += count;
            if (_later.Count != 0)
                AssignLater();
        }

        while (_bodyReceived < _bodyLength)
        {
            var own = _ownLength - _bodyReceived;
            var status = own > 0
                ? ReceiveBytes(_body.Address + _bodyReceived, own, _descriptors, wait, out var count)
                : ReceiveBytes(_placed - own, _bodyLength - _bodyReceived, _descriptors, wait, out count);
            if (status != ReceiveStatus.Message)
                return status;
            _bodyReceived += count;
        }

        _complete = true;
        return ReceiveStatus.Message;
    }

    /// <summary>Moves the received message out, without copying: the buffers change places.</summary>
    public void MoveTo(Message message)
    {
        message.Header = _header;
        message.BodyLength = _ownLength;
        (message.Buffer, _body) = (_body, message.Buffer);
        (message.Descriptors, _descriptors) = (_descriptors, message.Descriptors);
    }

    /// <summary>Moves the received message out, its body as a copy of its own size.</summary>
    public Message Detach()
    {
        var message = new Message(_ownLength) { Header = _header, BodyLength = _ownLength };
        Body.CopyTo(message.Body);
        (message.Descriptors, _descriptors) = (_descriptors, message.Descriptors);
        return message;
    }

    public void CloseDescriptors() => _descriptors.CloseAll();

    public void Dispose()
    {
        _descriptors.CloseAll();
        _later.CloseAll();
        _chunk.Dispose();
        _control.Dispose();
        _body.Dispose();
    }

    private void BeginNext()
    {
        _complete = false;
        _headerReceived = false;
        _descriptors.CloseAll();
        if (_later.Count != 0 && --_messagesBeforeLater == 0)
            _later.MoveTo(_descriptors);
    }

    private bool TakeHeader()
    {
        _header = *(MessageHeader*)_chunk.Address;
        if (_header.MessageSize is < MessageHeader.Size or > Limits.Message)
            return false;
        _bodyLength = (int)_header.MessageSize - MessageHeader.Size;
        _ownLength = _bodyLength;
        if (Placement is { } placement && (_placed = placement.Place(_header, out var before)) != null)
            _ownLength = Math.Min(before, _bodyLength);
        _body.EnsureCapacity(_ownLength);
        _bodyReceived = Math.Min(_bodyLength, _chunkLength - MessageHeader.Size);
        var own = Math.Min(_bodyReceived, _ownLength);
        _chunk.Span(MessageHeader.Size, own).CopyTo(_body.Span(0, own));
        if (_bodyReceived > own)
            _chunk.Span(MessageHeader.Size + own, _bodyReceived - own).CopyTo(new Span<byte>(_placed, _bodyReceived - own));
        var used = MessageHeader.Size + _bodyReceived;
        _chunkLength -= used;
        _chunk.Span(used, _chunkLength).CopyTo(_chunk.Span(0, _chunkLength));
        _headerReceived = true;
        return true;
    }

    // More is received only while the chunk holds nothing but the start of the current message, so that there is one set to assign at a
    // time.
    private void AssignLater()
    {
        var at = 0;
        _messagesBeforeLater = 0;
        while (_chunkLength - at >= MessageHeader.Size)
        {
            var size = ((MessageHeader*)(_chunk.Address + at))->MessageSize;
            if (size < MessageHeader.Size || size >= (uint)(_chunkLength - at))
                break;
            at += (int)size;
            _messagesBeforeLater++;
        }

        if (_messagesBeforeLater == 0)
            _later.MoveTo(_descriptors);
    }

    private ReceiveStatus ReceiveBytes(byte* destination, int length, DescriptorList descriptors, ReceiveWait? wait, out int count)
    {
        count = 0;
        while (true)
        {
            if (wait is not null && !wait.WaitReadable())
                return ReceiveStatus.Interrupted;
            iovec vector;
            vector.iov_base = destination;
            vector.iov_len = (nuint)length;
            msghdr header = default;
            header.msg_iov = &vector;
            header.msg_iovlen = 1;
            header.msg_control = _control.Address;
            header.msg_controllen = (nuint)_control.Capacity;
            var received = Libc.recvmsg(_socket, &header, Libc.MSG_CMSG_CLOEXEC | (wait is null ? 0 : Libc.MSG_DONTWAIT));
            if (received >= 0)
            {
                // Where not one descriptor could be taken, nothing but the flag tells.
                if ((header.msg_controllen != 0 || (header.msg_flags & Libc.MSG_CTRUNC) != 0) && !CollectDescriptors(header, descriptors))
                    return ReceiveStatus.Broken;
                count = (int)received;
                return received == 0 ? ReceiveStatus.EndOfStream : ReceiveStatus.Message;
            }

            var error = (Errno)Marshal.GetLastPInvokeError();
            if (error == Errno.EAGAIN && wait is null)
                Poll.Wait(_socket, Libc.POLLIN);
            else if (error == Errno.ECONNRESET)
                return ReceiveStatus.EndOfStream;
            else if (error is not (Errno.EINTR or Errno.EAGAIN))
                return ReceiveStatus.Broken;
        }
    }

    private static bool CollectDescriptors(in msghdr header, DescriptorList descriptors)
    {
        var control = (byte*)header.msg_control;
        var left = header.msg_controllen;
        while (left >= (nuint)sizeof(cmsghdr))
        {
            var part = (cmsghdr*)control;
            if (part->cmsg_len < (nuint)sizeof(cmsghdr) || part->cmsg_len > left)
                break;
            if (part->cmsg_level == Libc.SOL_SOCKET && part->cmsg_type == Libc.SCM_RIGHTS)
            {
                var numbers = (int*)(control + Libc.CMSG_LEN(0));
                for (nuint i = 0; i < (part->cmsg_len - Libc.CMSG_LEN(0)) / sizeof(int); i++)
                    descriptors.Add(numbers[i]);
            }

            var step = Math.Min(Libc.CMSG_ALIGN(part->cmsg_len), left);
            control += step;
            left -= step;
        }

        return (header.msg_flags & Libc.MSG_CTRUNC) == 0;
    }
}
