using System.Buffers.Binary;

namespace Gpio;

/// <summary>The sixteen outputs, inputs, and the interrupt that a change of an input raises. Thread-safe.</summary>
/// <param name="driveIntx">Drives the interrupt pin; does not block.</param>
internal sealed class Pins(Action<bool> driveIntx)
{
    public const int Number = 16;
    private const int Period = 3;
    private readonly Lock _changing = new();
    private readonly uint[] _counts = new uint[Number];
    private bool _enabled;
    private bool _pending;
    private long _changes;

    /// <summary>The inputs: a bit is set where the count is a multiple of 3.</summary>
    public ushort Inputs
    {
        get
        {
            lock (_changing)
                return InputsNow();
        }
    }

    /// <summary>Whether an input has changed since the interrupt was cleared.</summary>
    public bool IsPending
    {
        get
        {
            lock (_changing)
                return _pending;
        }
    }

    /// <summary>Whether the interrupt is enabled, or pending.</summary>
    public bool UsesInterrupt
    {
        get
        {
            lock (_changing)
                return _enabled || _pending;
        }
    }

    /// <summary>Grows with every change of what is saved.</summary>
    public long Changes
    {
        get
        {
            lock (_changing)
                return _changes;
        }
    }

    /// <summary>Outputs were written: counts those that were set.</summary>
    public void Count(ushort outputs)
    {
        lock (_changing)
        {
            var before = InputsNow();
            for (var pin = 0; pin < Number; pin++)
                _counts[pin] += (uint)(outputs >> pin) & 1;
            _pending |= _enabled && InputsNow() != before;
            Changed();
        }
    }

    public void EnableInterrupt(bool enabled)
    {
        lock (_changing)
        {
            _enabled = enabled;
            Changed();
        }
    }

    public void ClearInterrupt()
    {
        lock (_changing)
        {
            _pending = false;
            Changed();
        }
    }

    public void Reset()
    {
        lock (_changing)
        {
            Array.Clear(_counts);
            _enabled = _pending = false;
            Changed();
        }
    }

    /// <summary>Takes down the counts, and what the interrupt is at.</summary>
    /// <param name="counts">Receives the counts, 4 bytes each.</param>
    public (bool Enabled, bool Pending) Save(Span<byte> counts)
    {
        lock (_changing)
        {
            for (var pin = 0; pin < Number; pin++)
                BinaryPrimitives.WriteUInt32LittleEndian(counts[(pin * sizeof(uint))..], _counts[pin]);
            return (_enabled, _pending);
        }
    }

    /// <summary>Puts back what <see cref="Save"/> took down.</summary>
    public void Load(ReadOnlySpan<byte> counts, bool enabled, bool pending)
    {
        lock (_changing)
        {
            for (var pin = 0; pin < Number; pin++)
                _counts[pin] = BinaryPrimitives.ReadUInt32LittleEndian(counts[(pin * sizeof(uint))..]);
            (_enabled, _pending) = (enabled, pending);
            Changed();
        }
    }

    private void Changed()
    {
        _changes++;
        driveIntx(_enabled && _pending);
    }

    private ushort InputsNow()
    {
        var inputs = 0;
        for (var pin = 0; pin < Number; pin++)
            inputs |= _counts[pin] % Period == 0 ? 1 << pin : 0;
        return (ushort)inputs;
    }
}
