using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme;

/// <summary>What a register write asks the controller's thread to do.</summary>
[Flags]
internal enum RegisterRequest
{
    None = 0,

    /// <summary>CC.EN fell.</summary>
    Disable = 1,

    /// <summary>CC.EN rose.</summary>
    Enable = 2,

    /// <summary>CC.SHN asks for a shutdown.</summary>
    Shutdown = 4,

    /// <summary>NSSR was written with its value.</summary>
    SubsystemReset = 8,
}

/// <summary>
/// The controller registers: front ends read and write them, the controller's thread acts on what they ask for. Thread-safe.
/// </summary>
internal sealed class ControllerRegisters
{
    private readonly Lock _sync = new();
    private uint _cc;
    private uint _csts;
    private uint _aqa;
    private ulong _asq;
    private ulong _acq;
    private uint _masked;
    private bool _offline;
    private volatile RegisterRequest _requests;

    internal uint Cc => Volatile.Read(ref _cc);

    internal uint Aqa => Volatile.Read(ref _aqa);

    internal ulong Asq => Volatile.Read(ref _asq);

    internal ulong Acq => Volatile.Read(ref _acq);

    /// <summary>INTMS: the vectors whose pin interrupt is masked.</summary>
    internal uint Masked => Volatile.Read(ref _masked);

    internal uint Read(int offset)
    {
        lock (_sync)
        {
            return offset switch
            {
                Register.Cap => unchecked((uint)ControllerLimits.Cap),
                Register.Cap + 4 => (uint)(ControllerLimits.Cap >> 32),
                Register.Vs => Register.Version14,
                Register.Intms or Register.Intmc => _masked,
                Register.Cc => _cc,
                Register.Csts => _offline ? Register.CstsFatal : _csts,
                Register.Aqa => _aqa,
                Register.Asq => (uint)_asq,
                Register.Asq + 4 => (uint)(_asq >> 32),
                Register.Acq => (uint)_acq,
                Register.Acq + 4 => (uint)(_acq >> 32),
                _ => 0,
            };
        }
    }

    internal void Write(int offset, uint value)
    {
        const uint AqaMask = 0x0FFF_0FFF;
        const ulong QueueMask = ~0xFFFul;
        lock (_sync)
        {
            // An offline secondary controller takes nothing but its way back.
            if (_offline)
                return;
            switch (offset)
            {
                case Register.Intms:
                    _masked |= value;
                    break;
                case Register.Intmc:
                    _masked &= ~value;
                    break;
                case Register.Cc:
                    WriteCc(value);
                    break;
                case Register.Csts:
                    _csts &= ~(value & Register.CstsSubsystemReset);
                    break;
                case Register.Nssr when value == Register.NssrValue:
                    _requests |= RegisterRequest.SubsystemReset;
                    break;
                case Register.Aqa:
                    _aqa = value & AqaMask;
                    break;
                case Register.Asq:
                    _asq = ((_asq & 0xFFFF_FFFF_0000_0000) | value) & QueueMask;
                    break;
                case Register.Asq + 4:
                    _asq = (uint)_asq | ((ulong)value << 32);
                    break;
                case Register.Acq:
                    _acq = ((_acq & 0xFFFF_FFFF_0000_0000) | value) & QueueMask;
                    break;
                case Register.Acq + 4:
                    _acq = (uint)_acq | ((ulong)value << 32);
                    break;
            }
        }
    }

    /// <summary>What was asked for since the last call.</summary>
    internal RegisterRequest TakeRequests()
    {
        if (_requests == RegisterRequest.None)
            return RegisterRequest.None;
        lock (_sync)
        {
            var taken = _requests;
            _requests = RegisterRequest.None;
            return taken;
        }
    }

    internal void SetStatus(uint bits)
    {
        lock (_sync)
            _csts |= bits;
    }

    internal void SetShutdownComplete()
    {
        lock (_sync)
            _csts = (_csts & ~Register.CstsShutdownMask) | Register.CstsShutdownComplete;
    }

    internal void SetOffline(bool offline)
    {
        lock (_sync)
            _offline = offline;
    }

    /// <summary>A controller reset by CC.EN: the admin queue registers stay.</summary>
    internal void ResetController()
    {
        lock (_sync)
        {
            _csts &= Register.CstsSubsystemReset;
            _masked = 0;
        }
    }

    /// <summary>Any other controller level reset: everything at its default.</summary>
    /// <param name="bySubsystem">Whether CSTS.NSSRO is to say so.</param>
    internal void ResetAll(bool bySubsystem)
    {
        lock (_sync)
        {
            _cc = 0;
            _csts = bySubsystem ? Register.CstsSubsystemReset : 0;
            _aqa = 0;
            _asq = 0;
            _acq = 0;
            _masked = 0;
            _requests = RegisterRequest.None;
        }
    }

    private void WriteCc(uint value)
    {
        var before = _cc;
        _cc = value;
        if ((before & ~value & Register.CcEnable) != 0)
            _requests |= RegisterRequest.Disable;
        if ((~before & value & Register.CcEnable) != 0)
            _requests |= RegisterRequest.Enable;
        if (Register.CcShutdown(value) != 0 && Register.CcShutdown(before) == 0)
            _requests |= RegisterRequest.Shutdown;
    }
}
