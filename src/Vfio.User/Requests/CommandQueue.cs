using Vfio.User.Transport;

namespace Vfio.User.Requests;

/// <summary>Commands that were received by somebody who waited for a reply: in order, and bounded. Not thread-safe.</summary>
internal sealed class CommandQueue : IDisposable
{
    private const int MaxMessages = 4096;
    private const long MaxBytes = 4 << 20;
    private const int MaxDescriptors = 1024;
    private readonly Queue<Message> _messages = new();
    private long _bytes;
    private int _descriptors;

    public int Count => _messages.Count;

    /// <summary>Whether nothing more may be received until something has been taken out.</summary>
    public bool IsFull => _messages.Count >= MaxMessages || _bytes >= MaxBytes || _descriptors >= MaxDescriptors;

    public void Enqueue(Message message)
    {
        _messages.Enqueue(message);
        _bytes += message.BodyLength;
        _descriptors += message.Descriptors.Count;
    }

    public Message Dequeue()
    {
        var message = _messages.Dequeue();
        _bytes -= message.BodyLength;
        _descriptors -= message.Descriptors.Count;
        return message;
    }

    public void Dispose()
    {
        while (_messages.TryDequeue(out var message))
            message.Dispose();
    }
}
