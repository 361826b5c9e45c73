namespace Vfio.Core.Tests.Model;

/// <summary>
/// linux-vfio.md section 4 with nothing but numbers: which eventfd is attached where, how often each must have been signalled, and what a
/// request returns (a count, or an errno negated).
/// </summary>
internal sealed class IrqModel(int messageVectors, bool isExpress, bool isDynamic)
{
    private const int Invalid = -(int)Errno.EINVAL, NotSupported = -(int)Errno.ENOTTY;
    private const uint None = 1, Bool = 2, EventFd = 4, Mask = 8, Unmask = 0x10, Trigger = 0x20;
    private readonly Use?[] _vectors = new Use?[messageVectors];
    private readonly Use?[] _notifications = new Use?[2];
    private int? _active;
    private int _enabled;
    private Use? _intx;
    private Use? _unmask;
    private bool _masked;
    private bool _disabled;
    private bool _asserted;

    public int Obtainable { get; set; } = int.MaxValue;

    /// <summary>What each eventfd must have received since the last look.</summary>
    public int[] Signals { get; } = new int[IrqSteps.EventFdCount];

    /// <summary>The descriptors that the device keeps.</summary>
    public HashSet<object> Kept
        => [.. _vectors.Concat(_notifications).Append(_intx).OfType<Use>().Select(use => use.Handle), .. UnmaskHandle];

    /// <summary>The eventfd that unmasks; null for none.</summary>
    public int? UnmaskEventFd => _unmask?.EventFd;

    private IEnumerable<object> UnmaskHandle => _unmask is { } unmask ? [(unmask, "unmask")] : [];

    public int Set(SetStep step, object[] handles)
    {
        var count = step.Index switch { 0 => 1u, 1 or 2 => (uint)messageVectors, 3 => isExpress ? 1u : 0u, 4 => 1u, _ => 0u };
        var data = step.Flags & 7;
        if ((step.Flags & ~0x3Fu) != 0 || step.Count >= uint.MaxValue - step.Start)
            return Invalid;
        if (step.Start >= count || step.Start + step.Count > count)
            return Invalid;
        // An empty list stands for -1 everywhere, as a front end has it for a request without descriptors.
        var isShort = (data == Bool && step.Bools.Length < step.Count)
            || (data == EventFd && step.Descriptors.Length is > 0 and var n && n < step.Count);
        if (data is not (None or Bool or EventFd) || isShort)
            return Invalid;
        var uses = new Use?[step.Count];
        var errors = new int[step.Count];
        for (var i = 0; i < Math.Min(step.Descriptors.Length, (int)step.Count); i++)
        {
            uses[i] = step.Descriptors[i] >= Descriptor.First ? new Use(step.Descriptors[i] - Descriptor.First, handles[i]) : null;
            errors[i] = step.Descriptors[i] switch { Descriptor.Closed => -(int)Errno.EBADF, Descriptor.Other => Invalid, _ => 0 };
        }

        return (step.Index, step.Flags & 0x38) switch
        {
            (0, Mask or Unmask) when _active != 0 || step.Count != 1 => Invalid,
            (0, Mask) => data == EventFd ? NotSupported : IsMeant(step) ? Then(() => _masked = true) : 0,
            (0, Unmask) => data == EventFd ? SetUnmask(uses[0], errors[0]) : IsMeant(step) ? Then(DoUnmask) : 0,
            (0, Trigger) => TriggerIntx(step, uses, errors),
            (1 or 2, Trigger) => TriggerMessages(step, uses, errors),
            (3 or 4, Trigger) => TriggerNotification(step, uses, errors),
            _ => NotSupported,
        };
    }

    public void Fire(int index, int vector)
    {
        if (_active == index && vector < messageVectors)
            Signal(_vectors[vector]);
    }

    public void SetLine(bool asserted)
    {
        _asserted = asserted;
        Sample();
    }

    public void SetDisabled(bool disabled)
    {
        if (disabled == _disabled)
            return;
        _disabled = disabled;
        if (disabled)
            _masked = true;
        else
            DoUnmask();
    }

    public void RequestRelease() => Signal(_notifications[1]);

    /// <summary>The unmask eventfd was signalled, and is taken away behind it.</summary>
    public void SignalUnmask()
    {
        DoUnmask();
        _unmask = null;
    }

    public void Close()
    {
        DisableActive();
        Array.Clear(_notifications);
        _disabled = false;
    }

    private static int Then(Action action)
    {
        action();
        return 0;
    }

    private static bool IsMeant(SetStep step) => (step.Flags & None) != 0 || step.Bools[0] != 0;

    private int SetUnmask(Use? use, int error)
    {
        if (error != 0)
            return error;
        if (use is not null && _unmask is not null)
            return -(int)Errno.EBUSY;
        _unmask = use;
        return 0;
    }

    private int TriggerIntx(SetStep step, Use?[] uses, int[] errors)
    {
        if (_active == 0 && step.Count == 0 && (step.Flags & None) != 0)
            return Then(DisableActive);
        if (_active is not (null or 0) || step.Count != 1)
            return Invalid;
        if ((step.Flags & EventFd) == 0)
        {
            if (_active is null)
                return Invalid;
            if (IsMeant(step) && !_disabled)
                Signal(_intx);
            return 0;
        }

        if (errors[0] != 0)
            return errors[0];
        _intx = uses[0];
        if (_active is not null)
            return 0;
        if (Obtainable == 0)
        {
            _intx = null;
            return -(int)Errno.ENODEV;
        }

        _active = 0;
        _masked = _disabled;
        Sample();
        return 0;
    }

    private int TriggerMessages(SetStep step, Use?[] uses, int[] errors)
    {
        var index = (int)step.Index;
        if (_active == index && step.Count == 0 && (step.Flags & None) != 0)
            return Then(DisableActive);
        if (_active is not null && _active != index)
            return Invalid;
        if ((step.Flags & EventFd) == 0)
        {
            if (_active is null)
                return Invalid;
            for (var i = 0; i < step.Count; i++)
            {
                if ((step.Flags & None) != 0 || step.Bools[i] != 0)
                    Signal(_vectors[(int)step.Start + i]);
            }

            return 0;
        }

        if (_active is not null)
            return SetBlock(index, (int)step.Start, uses, errors);
        var vectors = (int)(step.Start + step.Count);
        if (vectors == 0)
            return -(int)Errno.ERANGE;
        if (vectors > Obtainable)
            return Obtainable > 0 ? Obtainable : -(int)Errno.ENOSPC;
        _active = index;
        _enabled = vectors;
        var result = SetBlock(index, (int)step.Start, uses, errors);
        if (result != 0)
            DisableActive();
        return result;
    }

    private int SetBlock(int index, int start, Use?[] uses, int[] errors)
    {
        for (var i = 0; i < uses.Length; i++)
        {
            var vector = start + i;
            var wasLive = _vectors[vector] is not null;
            _vectors[vector] = null;
            var isWanted = uses[i] is not null || errors[i] != 0;
            var error = !isWanted ? 0 : vector >= _enabled && !wasLive && !(index == 2 && isDynamic) ? Invalid : errors[i];
            if (error != 0)
            {
                Array.Clear(_vectors, start, i + 1);
                return error;
            }

            _vectors[vector] = uses[i];
        }

        return 0;
    }

    private int TriggerNotification(SetStep step, Use?[] uses, int[] errors)
    {
        ref var use = ref _notifications[step.Index - 3];
        switch (step.Flags & 7)
        {
            case None when use is null:
                return Invalid;
            case None when step.Count == 1:
                Signal(use);
                return 0;
            case None:
                use = null;
                return 0;
            case not None when step.Count == 0:
                return Invalid;
            case Bool:
                if (step.Bools[0] != 0)
                    Signal(use);
                return 0;
            default:
                if (errors[0] == 0)
                    use = uses[0];
                return errors[0];
        }
    }

    private void DisableActive()
    {
        _active = null;
        _enabled = 0;
        _intx = null;
        _unmask = null;
        Array.Clear(_vectors);
    }

    private void Sample()
    {
        if (_active != 0 || _masked || !_asserted)
            return;
        _masked = true;
        Signal(_intx);
    }

    private void DoUnmask()
    {
        if (_active != 0 || !_masked || _disabled)
            return;
        _masked = false;
        Sample();
    }

    private void Signal(Use? use)
    {
        if (use is not null)
            Signals[use.EventFd]++;
    }

    private sealed record Use(int EventFd, object Handle);
}
