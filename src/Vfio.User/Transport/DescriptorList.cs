using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>The descriptors that came with one message. It owns those that nobody has taken. Not thread-safe.</summary>
internal sealed class DescriptorList
{
    private const int Taken = -1;
    private readonly int[] _descriptors = new int[Libc.SCM_MAX_FD];

    /// <summary>How many came, those that were too many to keep included.</summary>
    public int Count { get; private set; }

    /// <summary>Whether more came than one message can carry: some have been closed.</summary>
    public bool Overflowed => Count > _descriptors.Length;

    public void Add(int descriptor)
    {
        // A client that spreads descriptors over the pieces of one message must not exhaust the process's.
        if (Count < _descriptors.Length)
            _descriptors[Count] = descriptor;
        else
            _ = Libc.close(descriptor);
        Count++;
    }

    /// <summary>Hands one over.</summary>
    public SafeFileHandle Take(int index)
    {
        var descriptor = _descriptors[index];
        _descriptors[index] = Taken;
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Gives all of them to another list, behind those that it has.</summary>
    public void MoveTo(DescriptorList other)
    {
        foreach (var descriptor in _descriptors.AsSpan(0, Math.Min(Count, _descriptors.Length)))
            other.Add(descriptor);
        Count = 0;
    }

    public void CloseAll()
    {
        if (Count == 0)
            return;
        foreach (var descriptor in _descriptors.AsSpan(0, Math.Min(Count, _descriptors.Length)))
        {
            if (descriptor != Taken)
                _ = Libc.close(descriptor);
        }

        Count = 0;
    }
}
