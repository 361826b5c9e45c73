namespace Vfio.User.Requests;

/// <summary>
/// The transfers that wait, by the ids of their messages, and the ids whose replies nobody waits for any more. Not thread-safe.
/// </summary>
internal sealed class PendingTransfers
{
    private const int IdCount = ushort.MaxValue + 1;
    private readonly List<Transfer> _pending = [];
    private readonly Stack<Transfer> _spare = new();
    private readonly ulong[] _abandoned = new ulong[IdCount / 64];
    private ushort _nextId;

    public int Count => _pending.Count;

    public Transfer Add()
    {
        var transfer = _spare.TryPop(out var spare) ? spare : new Transfer();
        transfer.Id = NextId();
        transfer.Begin();
        _pending.Add(transfer);
        return transfer;
    }

    public Transfer? Find(ushort id)
    {
        foreach (var transfer in _pending)
        {
            if (transfer.Id == id)
                return transfer;
        }

        return null;
    }

    /// <summary>The one at a place from 0 to <see cref="Count"/>; places shift when one is removed.</summary>
    public Transfer this[int index] => _pending[index];

    /// <summary>Ends one that nobody looks for any more; its reply may still be on its way.</summary>
    public void Remove(Transfer transfer, bool replyExpected)
    {
        _pending.Remove(transfer);
        if (replyExpected)
            _abandoned[transfer.Id / 64] |= 1ul << (transfer.Id % 64);
        transfer.Map = null;
        _spare.Push(transfer);
    }

    /// <summary>Whether a reply is one that was given up waiting for; it is forgotten with this.</summary>
    public bool TakeAbandoned(ushort id)
    {
        var bit = 1ul << (id % 64);
        var found = (_abandoned[id / 64] & bit) != 0;
        _abandoned[id / 64] &= ~bit;
        return found;
    }

    // An id whose reply may still come is not used again, unless the client has left all of them unanswered.
    private ushort NextId()
    {
        while (true)
        {
            for (var tries = 0; tries < IdCount; tries++)
            {
                var id = _nextId++;
                if ((_abandoned[id / 64] & (1ul << (id % 64))) == 0 && Find(id) is null)
                    return id;
            }

            Array.Clear(_abandoned);
        }
    }
}
